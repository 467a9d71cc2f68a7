// What no recorded lab shows, made from one that does: an edited capture or topology on which a claim must fail all the same.
import { expect, test } from 'vitest';
import { edited, recorded, verdict, withNodes } from './evidence.ts';

test.each(['default', '0.0.0.0/0', '::/0'])(
  'fullnat.no-gateway knows %s for a route that goes everywhere',
  async (to) => {
    const evidence = withNodes(await recorded('fullnat'), (node) =>
      node.name === 'be1' ? { ...node, routes: [{ to, via: '10.133.1.1' }] } : node,
    );
    expect(verdict('fullnat.no-gateway', evidence)).toMatchObject({
      status: 'fail',
      observed: 'be1 has a default route; no answer leaves for another segment; 4 of 4 requests answered',
    });
  },
);

test('proxy.client fails when one line names a client that has not asked, and shows that connection', async () => {
  const evidence = await recorded('haproxy-tcp');
  const eth1 = evidence.captures.get('eth1')!;
  const opening = eth1.capture.packets.find(({ tcp }) => tcp?.payload[0] === 'P'.charCodeAt(0))!;
  const line = Buffer.from(opening.tcp!.payload).toString('latin1').replace('.104 ', '.105 ');
  const changed = edited(evidence, ['eth1'], (packet) =>
    packet.number === opening.number
      ? { ...packet, tcp: { ...packet.tcp!, payload: Buffer.from(line, 'latin1') } }
      : packet,
  );
  expect(verdict('proxy.client', changed)).toMatchObject({
    status: 'fail',
    observed: expect.stringMatching(/^4 connections on eth1, 4 with a PROXY line .*; 1 without a client's$/),
    evidence: [{ capture: 'eth1', packets: [opening.number] }],
  });
});
