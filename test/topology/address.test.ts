import { isIPv4, isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressPort,
  contains,
  formatIp,
  formatSubnet,
  network,
  nth,
  overlaps,
  parseIp,
  parseSubnet,
  reserved,
  specialUse,
} from '../../src/topology/address.ts';
import type { Subnet } from '../../src/topology/address.ts';

const subnet = (text: string): Subnet => {
  const found = parseSubnet(text);
  if (found === undefined) throw new Error(text);
  return found;
};

/** Text that is an address, or nearly one. */
const addressLike = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.array(fc.nat({ max: 300 }), { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')),
  fc
    .array(fc.constantFrom('0', '00', '1', 'ffff', 'FfFf', '12345', 'g', '', '::', '1.2.3.4', '01.2.3.4'), {
      maxLength: 9,
    })
    .map((parts) => parts.join(':')),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.'.split('')), maxLength: 40 }),
);

describe('an address', () => {
  test('is what Node takes for one', () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        expect(parseIp(text)?.family).toBe(isIPv4(text) ? 4 : isIPv6(text) ? 6 : undefined);
      }),
      { numRuns: 5000 },
    );
  });

  test('of IPv6 is written as the WHATWG URL standard does, which follows RFC 5952', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV6(),
          addressLike.filter((text) => isIPv6(text)),
        ),
        (text) => {
          const ip = parseIp(text);
          expect(ip && formatIp(ip)).toBe(new URL(`http://[${text}]/`).hostname.slice(1, -1));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('of IPv4 is written as it was read', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const ip = parseIp(text);
        expect(ip && formatIp(ip)).toBe(text);
      }),
    );
  });

  test.each(['fe80::1%eth0', '1.2.3.04', '0x7f.1', '', ' 10.0.0.1', '10.0.0.1/24', '1:2:3:4:5:6:7:8::'])(
    'is not %j',
    (text) => {
      expect(parseIp(text)).toBeUndefined();
    },
  );

  test('stands in brackets before a port only if it is IPv6', () => {
    expect(addressPort('10.0.0.1', 80)).toBe('10.0.0.1:80');
    expect(addressPort('fd00::1', 80)).toBe('[fd00::1]:80');
    expect(addressPort('fd00::1')).toBe('[fd00::1]');
  });
});

describe('a subnet', () => {
  test('has an address and a prefix that fits its family', () => {
    expect(formatSubnet(subnet('192.168.11.7/24'))).toBe('192.168.11.7/24');
    for (const text of [
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/08',
      '/8',
      '10.0.0.0/8/8',
    ]) {
      expect({ text, subnet: parseSubnet(text) }).toEqual({ text, subnet: undefined });
    }
  });

  test('contains its addresses and no others', () => {
    const front = subnet('192.168.11.0/24');
    for (const [text, inside] of [
      ['192.168.11.0', true],
      ['192.168.11.255', true],
      ['192.168.12.0', false],
      ['::c0a8:b01', false],
    ] as const) {
      expect({ text, inside: contains(front, parseIp(text)!) }).toEqual({ text, inside });
    }
    expect(contains(subnet('fd00:1::/64'), parseIp('fd00:1::ffff')!)).toBe(true);
    expect(contains(subnet('0.0.0.0/0'), parseIp('255.255.255.255')!)).toBe(true);
  });

  test('clears its host bits', () => {
    expect(formatSubnet(network(subnet('10.133.1.77/20')))).toBe('10.133.0.0/20');
    expect(formatSubnet(network(subnet('fd00::1:2:3/64')))).toBe('fd00::/64');
  });

  test('overlaps another when one is inside the other, either way round', () => {
    expect(overlaps(subnet('10.0.0.0/8'), subnet('10.133.1.0/24'))).toBe(true);
    expect(overlaps(subnet('10.133.1.0/24'), subnet('10.0.0.0/8'))).toBe(true);
    expect(overlaps(subnet('10.133.1.0/24'), subnet('10.133.2.0/24'))).toBe(false);
    expect(overlaps(subnet('::/0'), subnet('10.133.2.0/24'))).toBe(false);
  });

  test('keeps its network and broadcast addresses from hosts', () => {
    const small = subnet('192.168.11.128/30');
    expect([0n, 1n, 2n, 3n].map((offset) => reserved(small, nth(small, offset)))).toEqual([
      'network',
      undefined,
      undefined,
      'broadcast',
    ]);
    const six = subnet('fd00::/126');
    expect([0n, 3n].map((offset) => reserved(six, nth(six, offset)))).toEqual(['network', undefined]);
  });

  test('may be set aside for something other than hosts', () => {
    expect(specialUse(subnet('127.0.0.0/8'))).toBe('loopback (RFC 1122)');
    expect(specialUse(subnet('239.1.0.0/16'))).toBe('multicast (RFC 5771)');
    expect(specialUse(subnet('fe80::/64'))).toBe('link-local (RFC 4291)');
    for (const text of [
      '192.168.11.0/24',
      '10.133.1.0/24',
      'fd00:1::/64',
      '207.175.44.0/24',
      '2001:db8::/32',
    ]) {
      expect({ text, use: specialUse(subnet(text)) }).toEqual({ text, use: undefined });
    }
  });
});
