// `lblab status`: what is in a lab that is up, what of it has died, and the balancer's own table.
import { join } from 'node:path';
import { labFolder, readRecord, type LabRecord } from '../../lab/folders.ts';
import type { Lab } from '../../lab/lab.ts';
import { ownServices } from '../../lab/services.ts';
import { balancerTable, type BalancerTable } from '../../lab/table.ts';
import { logOf } from '../../plan/build.ts';
import { netnsOf } from '../../plan/names.ts';
import { word, words } from '../../plan/shell.ts';
import type { ServiceStep } from '../../plan/types.ts';
import { forTerminal } from '../../report/escape.ts';
import { age, nextSteps, table } from '../../report/table.ts';
import type { ServiceStatus } from '../../sandbox/protocol.ts';
import type { Node } from '../../topology/types.ts';
import type { Cli } from '../context.ts';
import { EXIT } from '../failure.ts';
import { withLab } from '../labs.ts';
import { typedFor } from '../topologies.ts';

interface Found {
  readonly lab: Lab;
  readonly record: LabRecord;
  readonly services: readonly ServiceStatus[];
  /** Names of the capture points that something is capturing at. */
  readonly capturing: ReadonlySet<string>;
  readonly table?: BalancerTable;
}

async function look(cli: Cli, lab: Lab): Promise<Found> {
  const [record, all, shown] = await Promise.all([
    readRecord(labFolder(cli.host.home, lab.name)),
    lab.client.services(),
    balancerTable(lab),
  ]);
  const order = lab.topology.nodes.map((node) => node.name);
  const isCapture = (service: ServiceStatus) => service.name.startsWith('capture.');
  return {
    lab,
    record: record!,
    services: ownServices(lab, all).sort(
      (a, b) => order.indexOf(nodeOfService(a)) - order.indexOf(nodeOfService(b)),
    ),
    capturing: new Set(
      all
        .filter((service) => isCapture(service) && service.state !== 'ended')
        .map((service) => service.name.slice('capture.'.length)),
    ),
    ...(shown && { table: shown }),
  };
}

const interfaces = (node: Node) =>
  [
    ...node.interfaces.map(
      (link) =>
        `${link.name} ${link.addresses.map(({ address, prefix }) => `${address}/${prefix}`).join(' ')} (${link.segment})`,
    ),
    ...node.loopback.map(({ address, prefix }) => `lo ${address}/${prefix}`),
  ].join(', ');

const nodeOfService = (service: ServiceStatus) => service.name.split('.')[0]!;

function endOf(service: ServiceStatus): string {
  const { ended } = service;
  if (ended === undefined) return '';
  if (ended.error !== undefined) return ended.error;
  return ended.signal === null ? `exit code ${ended.code}` : `by ${ended.signal}`;
}

const lastWords = (service: ServiceStatus) =>
  (service.ended?.stderr ?? '')
    .trimEnd()
    .split('\n')
    .slice(-4)
    .filter((line) => line !== '');

function document({ lab, record, services, capturing, table: shown }: Found) {
  return {
    schema: 'lblab/status@1',
    lab: lab.name,
    kernel: lab.kernel,
    topology: record.topologyFile,
    method: lab.topology.balancer?.method ?? null,
    vip: lab.topology.balancer?.vip ?? null,
    since: new Date(record.since).toISOString(),
    pid: lab.pid,
    folder: lab.dir,
    nodes: lab.topology.nodes.map((node) => ({
      name: node.name,
      role: node.role,
      namespace: netnsOf(lab.name, node.name),
      interfaces: node.interfaces.map((link) => ({
        name: link.name,
        segment: link.segment,
        addresses: link.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
        mac: link.mac,
      })),
      services: services
        .filter((service) => nodeOfService(service) === node.name)
        .map((service) => ({
          name: service.name,
          state: service.state,
          pid: service.pid,
          command: service.argv,
          ...(service.ended && {
            exitCode: service.ended.code,
            signal: service.ended.signal,
            lastWords: lastWords(service),
          }),
        })),
    })),
    captures: lab.topology.captures.map((point) => ({ ...point, capturing: capturing.has(point.name) })),
    table: shown === undefined ? null : { command: shown.command, output: shown.text },
  };
}

function text(cli: Cli, { lab, record, services, capturing, table: shown }: Found): string {
  const { paint } = cli;
  const kernel = lab.kernel === 'uml' ? 'a user-mode kernel' : "this machine's kernel";
  const state = (service: ServiceStatus) =>
    service.state === 'ended' ? paint.red(`has ended (${endOf(service)})`) : service.state;
  const dead = services.filter((service) => service.state === 'ended');
  const logs = (service: ServiceStatus) => {
    const steps = lab.plan.stages.flatMap((stage) => stage.steps);
    const step = steps.find((each) => each.kind === 'service' && each.name === service.name) as ServiceStep;
    return join(lab.dir, logOf(step));
  };
  return [
    `${paint.bold(lab.name)}: ${forTerminal(lab.topology.title)}\n`,
    `  up for ${age(cli.host.now() - record.since)} on ${kernel}, from ${record.topologyFile}\n`,
    'nodes\n',
    table(
      lab.topology.nodes.map((node) => [node.name, node.role, interfaces(node)]),
      '  ',
    ),
    ...(services.length === 0 ? [] : ['services\n']),
    table(
      services.map((service) => [
        service.name,
        state(service),
        service.state === 'ended' ? '' : `pid ${service.pid}`,
        forTerminal(words(service.argv)),
      ]),
      '  ',
    ),
    ...dead.map(
      (service) =>
        `  ${paint.red(service.name)} has ended: ${endOf(service)}, ` +
        `${lastWords(service).length === 0 ? 'without a word' : 'with these words'}; its log is ${logs(service)}\n` +
        lastWords(service)
          .map((line) => `    | ${forTerminal(line)}\n`)
          .join(''),
    ),
    ...(lab.topology.captures.length === 0 ? [] : ['capture points\n']),
    table(
      lab.topology.captures.map((point) => [
        point.name,
        `${point.node}:${point.interface}`,
        capturing.has(point.name) ? paint.green('capturing') : '',
        forTerminal(point.filter),
      ]),
      '  ',
    ),
    ...(shown === undefined
      ? []
      : [
          `the balancer's table (${words(shown.command)})\n`,
          ...shown.text
            .trimEnd()
            .split('\n')
            .map((line) => `  ${forTerminal(line)}\n`),
        ]),
    dead.length === 0
      ? nextSteps([`lblab request ${lab.name}`, 'requests, and who answered'])
      : nextSteps(
          [`lblab fault ${lab.name} ${nodeOfService(dead[0]!)} start-service`, 'starts it again'],
          [
            `lblab up ${word(typedFor(record.topologyFile))}${lab.name === lab.topology.name ? '' : ` --name ${lab.name}`} --recreate`,
            'builds the lab anew',
          ],
        ),
  ].join('');
}

export async function status(cli: Cli, name: string | undefined): Promise<number> {
  return withLab(cli, name, async (lab) => {
    const found = await look(cli, lab);
    cli.out(cli.json ? JSON.stringify(document(found)) + '\n' : text(cli, found));
    return found.services.some((service) => service.state === 'ended') ? EXIT.failed : EXIT.ok;
  });
}
