// Captures whose bytes come in pieces: the same packets as of the whole, however it is cut.
import { describe, expect, it } from 'vitest';
import { IncrementalReader, readCapture } from '../../src/pcap/index.ts';
import { pcap, segment } from './build.ts';

const frames = Array.from({ length: 20 }, (_, index) =>
  segment({ sequence: index, flags: index % 5 === 0 ? 'S' : 'A', payload: 'x'.repeat(index * 7) }),
);
// No Buffer: packets compare by their bytes' own type too.
const whole = Uint8Array.from(pcap(frames));

describe('a capture in pieces', () => {
  it.each([1, 7, 24, 100, 100_000])('has every packet, in pieces of %d bytes', async (size) => {
    const reader = new IncrementalReader();
    const packets = [];
    for (let at = 0; at < whole.length; at += size)
      packets.push(...reader.push(whole.subarray(at, at + size)));
    expect(packets).toEqual((await readCapture(whole)).packets);
    expect(reader).toMatchObject({
      packets: 20,
      connections: 4,
      bytes: frames.reduce((sum, { length }) => sum + length, 0),
    });
  });

  it('counts all and decodes as many as are wanted', () => {
    const reader = new IncrementalReader();
    expect(reader.push(whole, 3).map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(reader.packets).toBe(20);
  });

  it('refuses what is no capture', () => {
    expect(() => new IncrementalReader().push(Buffer.from('#!/bin/sh\n'))).toThrow('it looks like a script');
  });
});
