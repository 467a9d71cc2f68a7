// Where tcpdump listens: the capture points that a file names, or those that a lab has by itself.
import type { Context } from './context.ts';
import { show, suggest } from './issues.ts';
import type { Path } from './issues.ts';
import { checkNames } from './names.ts';
import type { Declared } from './schema.ts';
import type { CapturePoint } from './types.ts';
import type { Machines, Plug } from './wiring.ts';

export function resolveCaptures(
  declared: Declared,
  machines: Machines,
  director: string | undefined,
  context: Context,
): CapturePoint[] {
  if (declared.captures === undefined) return defaultCaptures(machines, director);
  checkNames(declared.captures, ['captures'], context);
  const nodes = new Map(Object.entries(declared.nodes));
  const points: CapturePoint[] = [];
  for (const [name, value] of Object.entries(declared.captures)) {
    const path: Path = typeof value === 'string' ? ['captures', name] : ['captures', name, 'at'];
    const { at, filter } = typeof value === 'string' ? { at: value, filter: '' } : value;
    const [node = '', written, ...more] = at.split(':');
    if (more.length > 0 || node === '' || written === '') {
      context.report(path, `not a place to capture (got ${show(at)})`, 'write NODE:INTERFACE');
      continue;
    }
    if (context.find(nodes, node, path, 'node', ['nodes']) === undefined) continue;
    const interfaces = new Map(Object.entries(nodes.get(node)?.interfaces ?? {}));
    const only = interfaces.size === 1 ? [...interfaces.keys()][0] : undefined;
    if (written === undefined && only === undefined) {
      context.absent(
        path,
        `${node} has several interfaces (got ${show(at)})`,
        suggest(
          undefined,
          [...interfaces.keys()].map((each) => `${node}:${each}`),
        ),
      );
      continue;
    }
    const device = written ?? only ?? '';
    const home: Path = ['nodes', node, 'interfaces'];
    if (
      device !== 'lo' &&
      context.find(interfaces, device, path, `interface of ${node}`, home) === undefined
    ) {
      continue;
    }
    points.push({ name, node, interface: device, filter });
  }
  return points;
}

/** The balancer's interfaces by their own names; clients and backends by theirs, their further interfaces with `-NAME`. */
function defaultCaptures({ roles, plugs }: Machines, director: string | undefined): CapturePoint[] {
  const points: CapturePoint[] = [];
  const seen = new Set<string>();
  const add = (node: string, plug: Plug, wish: string) => {
    const clean = wish.replace(/[^a-zA-Z0-9-]/g, '-');
    const name = seen.has(clean.toLowerCase()) ? `${node}-${clean}` : clean;
    seen.add(name.toLowerCase());
    points.push({ name, node, interface: plug.name, filter: '' });
  };
  const nodes = [...roles].filter(
    ([name, role]) => name === director || role === 'client' || role === 'backend' || role === 'balancer',
  );
  const ordered = [
    ...nodes.filter(([name]) => name === director),
    ...nodes.filter(([name]) => name !== director),
  ];
  for (const [name] of ordered) {
    for (const [index, plug] of (plugs.get(name) ?? []).entries()) {
      add(name, plug, name === director ? plug.name : index === 0 ? name : `${name}-${plug.name}`);
    }
  }
  return points;
}
