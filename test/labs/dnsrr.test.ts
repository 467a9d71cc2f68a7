// DNS round robin for real: three kinds of client, and a server that goes down while they ask. As this user and as one who is not root.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEvidence, savedTopology } from '../../src/lab/evidence.ts';
import { observe } from '../../src/verify/observe.ts';
import { place, type Place } from '../support/cli.ts';
import { processesOf } from '../support/processes.ts';

describe.each(['self', 'plain'] as const)('as %s', (user) => {
  let here: Place;
  beforeAll(async () => {
    here = await place(user);
  });
  afterAll(async () => {
    expect(await processesOf(here.state)).toEqual([]);
    expect(await readdir(here.state)).toEqual(['labs']);
    await here.remove();
  });

  it('bears out what the article says of it', async () => {
    const { code, stdout, stderr } = await here.run(['run', 'dnsrr', '--json']);
    expect(stderr).toBe('');
    const [lab] = (JSON.parse(stdout) as { labs: { checks: { id: string; status: string }[] }[] }).labs;
    expect(lab!.checks.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'accounts pass',
      'dnsrr.rotates pass',
      'dnsrr.direct pass',
      'dnsrr.skew pass',
      'dnsrr.failover pass',
      'dnsrr.persistence pass',
    ]);
    expect(code).toBe(0);

    const folder = join(here.cwd, 'captures/dnsrr');
    const evidence = await readEvidence(folder, (await savedTopology(folder))!);
    const by = (client: string) => evidence.requests!.filter((request) => request.client === client);
    const failed = (client: string) => by(client).filter(({ error }) => error !== undefined);
    // The entry lasts two seconds, and one of them has gone when the server goes down.
    const lasted = by('client')[0]!.began! + 2;
    const stuck = by('client').filter(({ began }) => began! > evidence.faults![0]!.done && began! < lasted);
    expect(stuck.length).toBeGreaterThan(4);
    expect(failed('client')).toEqual(expect.arrayContaining(stuck));
    expect(failed('client').length - stuck.length).toBeLessThanOrEqual(2);
    // A request that is under way when its server ends may be cut off.
    expect(failed('asking').length).toBeLessThanOrEqual(1);
    expect(failed('ordinary').length).toBeLessThanOrEqual(1);
    expect(evidence.faults).toMatchObject([
      { at: 1, node: 'be1', fault: 'stop-service' },
      { at: 1, node: 'dns', fault: 'withdraw be1' },
    ]);
    // The log's clock is the captures'.
    const sightings = observe(evidence).opened('client');
    for (const request of by('client').filter(({ error }) => error === undefined)) {
      const { connection } = sightings.find(
        (sighting) => sighting.node === 'client' && sighting.connection.client.port === request.localPort,
      )!;
      const started = Number(connection.firstTime) / 1e9;
      expect(started).toBeGreaterThanOrEqual(request.began!);
      expect(started).toBeLessThanOrEqual(request.began! + request.seconds);
    }
  }, 60_000);
});
