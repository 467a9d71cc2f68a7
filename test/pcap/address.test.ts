// Addresses as text.
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6, mac } from '../../src/pcap/address.ts';
import { bytesOf } from './build.ts';

const before = Buffer.alloc(3, 0xee);
const placed = (hex: string) => Buffer.concat([before, bytesOf(hex), before]);

test.each([
  ['00000000', '0.0.0.0'],
  ['01020304', '1.2.3.4'],
  ['7f000001', '127.0.0.1'],
  ['c0a80b6b', '192.168.11.107'],
  ['fefdfcfb', '254.253.252.251'],
  ['ffffffff', '255.255.255.255'],
])('IPv4 %s is %s', (hex, text) => {
  expect(ipv4(placed(hex), 3)).toBe(text);
});

describe('IPv6 as RFC 5952 wants it', () => {
  test.each([
    ['0123 4567 89ab cdef 1032 5476 98ba dcfe', '123:4567:89ab:cdef:1032:5476:98ba:dcfe'],
    ['2001 0db8 0001 0002 0003 0004 0005 0006', '2001:db8:1:2:3:4:5:6'],
    // One group of zeros is written (section 4.2.2), the longest run is not (4.2.3), and of equal runs the first is not.
    ['2001 0db8 0000 0001 0001 0001 0001 0001', '2001:db8:0:1:1:1:1:1'],
    ['0000 0001 0001 0001 0001 0001 0001 0001', '0:1:1:1:1:1:1:1'],
    ['0000 0000 0001 0001 0001 0001 0001 0001', '::1:1:1:1:1:1'],
    ['0001 0001 0001 0001 0001 0001 0000 0000', '1:1:1:1:1:1::'],
    ['2001 0db8 0000 0000 0001 0000 0000 0001', '2001:db8::1:0:0:1'],
    ['2001 0000 0000 0001 0000 0000 0000 0001', '2001:0:0:1::1'],
    ['0000 0000 0000 0001 0000 0000 0001 0001', '::1:0:0:1:1'],
    ['0000 0000 0000 0000 0000 0000 0000 0001', '::1'],
    ['0000 0000 0000 0000 0000 0000 0000 0000', '::'],
    ['ff02 0000 0000 0000 0000 0000 0000 0000', 'ff02::'],
    // IPv4-mapped addresses (section 5), and what nearly is one.
    ['0000 0000 0000 0000 0000 ffff c0a8 0b6b', '::ffff:192.168.11.107'],
    ['0000 0000 0000 0000 0000 fffe c0a8 0b6b', '::fffe:c0a8:b6b'],
    ['0000 0000 0000 0000 0001 ffff c0a8 0b6b', '::1:ffff:c0a8:b6b'],
    ['0001 0000 0000 0000 0000 0000 c0a8 0b6b', '1::c0a8:b6b'],
    ['0001 0000 0000 0000 0000 ffff c0a8 0b6b', '1::ffff:c0a8:b6b'],
    ['0000 0000 0000 0000 0000 0000 ffff 0b6b', '::ffff:b6b'],
    ['ffff 0000 0000 0000 0000 0000 ffff 0b6b', 'ffff::ffff:b6b'],
  ])('%s is %s', (hex, text) => {
    expect(ipv6(placed(hex), 3)).toBe(text);
  });
});

test.each([
  '00:00:00:00:00:00',
  '02:00:00:00:00:68',
  'ff:ff:ff:ff:ff:ff',
  '01:23:45:67:89:ab',
  // Alike but for one byte.
  '01:23:ff:ff:ff:fe',
  '01:22:ff:ff:ff:fe',
  '00:23:ff:ff:ff:fe',
  '01:23:fe:ff:ff:fe',
  '01:23:ff:fe:ff:fe',
  '01:23:ff:ff:fe:fe',
  '01:23:ff:ff:ff:ff',
])('the MAC address %s', (text) => {
  expect(mac(placed(text), 3)).toBe(text);
});

test('many addresses are each themselves, also when they come again', () => {
  for (let round = 0; round < 2; round++)
    for (let index = 0; index < 5000; index++) {
      const [high, low] = [index >> 8, index & 0xff];
      expect(ipv4(Buffer.of(10, 1, high, low), 0)).toBe(`10.1.${high}.${low}`);
    }
});
