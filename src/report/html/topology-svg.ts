// Draws a topology as SVG: segments as buses, nodes hanging from them, and, where a request was captured, its way and its answer's along the
// wires.
import { rolesOf } from '../../verify/roles.ts';
import type { Interface, Node, Topology } from '../../topology/types.ts';
import { boxLines } from '../../plan/pictures/boxes.ts';
import { ascii } from '../ladder/labels.ts';
import type { Step } from '../ladder/steps.ts';
import { markup, NONE, type Markup } from './markup.ts';

/** Pixels. */
const WIDEST = 1030;
const NARROWEST = 190;
const ROOMIEST = 290;
const BOX = 150;
const BOX_HEIGHT = 66;
const MARGIN = 4;
/** What an address takes to the right of the last box's wire. */
const LABEL = 90;
const LANE = 17;
const LABELS = 34;
const SLOT = 11;
const ROUND = 6;
const HEAD = 8;

interface Bus {
  readonly name: string;
  readonly title: string;
  readonly isTop: boolean;
  readonly y: number;
  /** Which lane beside the bus each step runs in. */
  readonly lanes: ReadonlyMap<number, number>;
}

interface Plug {
  readonly node: string;
  readonly link: Interface;
  readonly x: number;
  /** The box's edge that the wire leaves from. */
  readonly edge: number;
  readonly bus: Bus;
}

export interface TopologySvgOptions {
  readonly title: string;
  /** Ways to draw, numbered from 1. */
  readonly steps?: readonly Step[];
}

export function topologySvg(topology: Topology, { title, steps = [] }: TopologySvgOptions): Markup {
  const roles = rolesOf(topology);
  const rank = ({ name }: Node) =>
    roles.clients.has(name) ? 0 : roles.backends.some(({ node }) => node === name) ? 2 : 1;
  const nodes = [...topology.nodes].sort((a, b) => rank(a) - rank(b));
  const pitch = Math.max(
    NARROWEST,
    Math.min(ROOMIEST, (WIDEST - 2 * MARGIN - BOX - LABEL) / Math.max(1, nodes.length - 1)),
  );
  const width = MARGIN * 2 + pitch * (nodes.length - 1) + BOX + LABEL;
  const leftOf = (index: number) => MARGIN + pitch * index;
  const laned = lanesOf(topology, steps);
  const depth = (isTop: boolean) =>
    topology.segments.reduce(
      (sum, { name }, index) => ((index % 2 === 0) === isTop ? sum + 44 + LANE * laned.get(name)!.size : sum),
      0,
    );
  const hasBottom = topology.segments.length > 1;
  const boxTop = depth(true) + LABELS;
  const boxBottom = boxTop + BOX_HEIGHT;
  const height = boxBottom + (hasBottom ? depth(false) + LABELS : 14);
  const buses = busesOf(topology, laned, boxTop - LABELS, boxBottom + LABELS);
  const plugs = nodes.flatMap((node, index) => plugsOf(node, leftOf(index), buses, boxTop, boxBottom));
  return markup`<svg role="img" class="topology" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" aria-label="${title}">${[...buses.values()].map((bus) => busSvg(bus, plugs))}${plugs.map(plugSvg)}${nodes.map((node, index) => nodeSvg(topology, node, leftOf(index), boxTop))}${waysSvg(steps, plugs)}</svg>`;
}

function segmentOf(topology: Topology, node: string, name: string): string | undefined {
  return topology.nodes.find((each) => each.name === node)?.interfaces.find((link) => link.name === name)
    ?.segment;
}

/** A lane of its own for each step along a segment. */
function lanesOf(topology: Topology, steps: readonly Step[]): Map<string, Map<number, number>> {
  const lanes = new Map(topology.segments.map(({ name }) => [name, new Map<number, number>()] as const));
  steps.forEach((step, index) => {
    const segment = segmentOf(topology, step.from, step.fromInterface);
    if (segment === undefined || segment !== segmentOf(topology, step.to, step.toInterface)) return;
    const its = lanes.get(segment)!;
    its.set(index, its.size);
  });
  return lanes;
}

/** The first segment above the boxes, the second below, and so on outwards. */
function busesOf(
  topology: Topology,
  laned: ReadonlyMap<string, ReadonlyMap<number, number>>,
  above: number,
  below: number,
): Map<string, Bus> {
  const buses = new Map<string, Bus>();
  let [top, bottom] = [above, below];
  topology.segments.forEach(({ name, subnets }, index) => {
    const isTop = index % 2 === 0;
    const lanes = laned.get(name)!;
    const room = 14 + LANE * lanes.size;
    const y = isTop ? top - room : bottom + room;
    if (isTop) top = y - 30;
    else bottom = y + 30;
    buses.set(name, { name, title: `${name} ${subnets.join(', ')}`, isTop, y, lanes });
  });
  return buses;
}

function plugsOf(
  node: Node,
  left: number,
  buses: ReadonlyMap<string, Bus>,
  boxTop: number,
  boxBottom: number,
): Plug[] {
  return [true, false].flatMap((isTop) => {
    const links = node.interfaces.filter(({ segment }) => buses.get(segment)!.isTop === isTop);
    return links.map((link, at) => ({
      node: node.name,
      link,
      x: left + BOX / 2 + (at - (links.length - 1) / 2) * 48,
      edge: isTop ? boxTop : boxBottom,
      bus: buses.get(link.segment)!,
    }));
  });
}

function busSvg({ name, title, y, isTop }: Bus, plugs: readonly Plug[]): Markup {
  const its = plugs.filter(({ bus }) => bus.name === name).map(({ x }) => x);
  const [from, to] =
    its.length === 0 ? [MARGIN, MARGIN + BOX] : [Math.min(...its) - 40, Math.max(...its) + 40];
  return markup`<line class="bus" x1="${from}" y1="${y}" x2="${to}" y2="${y}"/><text class="faint" x="${from}" y="${isTop ? y - 9 : y + 19}">${ascii(title)}</text>`;
}

function plugSvg({ link, x, edge, bus }: Plug): Markup {
  const below = edge > bus.y ? -1 : 1;
  const label = [link.name, ...link.addresses.map(({ address }) => address)].join(' ');
  return markup`<line class="link" x1="${x}" y1="${edge}" x2="${x}" y2="${bus.y}"/><circle class="plug" cx="${x}" cy="${bus.y}" r="4.5"/><text class="faint" x="${x + 20}" y="${below < 0 ? edge - 9 : edge + 17}">${ascii(label)}</text>`;
}

function nodeSvg(topology: Topology, node: Node, left: number, boxTop: number): Markup {
  const x = left + BOX / 2;
  const [, ...lines] = boxLines(topology, node);
  const shown = lines.slice(0, 2);
  return markup`<rect class="box" x="${left}" y="${boxTop}" width="${BOX}" height="${BOX_HEIGHT}" rx="10"/><text class="name" x="${x}" y="${boxTop + 24}" text-anchor="middle">${ascii(node.name)}</text>${shown.map(
    (line, at) =>
      markup`<text class="faint" x="${x}" y="${boxTop + 41 + at * 15}" text-anchor="middle">${ascii(line)}</text>`,
  )}`;
}

/** Each step's way from box to box along its bus, with its number. */
function waysSvg(steps: readonly Step[], plugs: readonly Plug[]): Markup[] {
  const used = new Map<Plug, number>();
  const count = new Map<Plug, number>();
  const ends = steps.map((step) => [
    plugs.find(({ node, link }) => node === step.from && link.name === step.fromInterface),
    plugs.find(({ node, link }) => node === step.to && link.name === step.toInterface),
  ]);
  for (const plug of ends.flat()) if (plug !== undefined) count.set(plug, (count.get(plug) ?? 0) + 1);
  const slot = (plug: Plug) => {
    const at = used.get(plug) ?? 0;
    used.set(plug, at + 1);
    return plug.x + (at - (count.get(plug)! - 1) / 2) * SLOT;
  };
  return steps.map((step, index) => {
    const [from, to] = ends[index]!;
    const lane = from?.bus.lanes.get(index);
    if (from === undefined || to === undefined || lane === undefined || from === to) return NONE;
    const { isTop, y } = from.bus;
    const away = isTop ? 1 : -1;
    const at = y + away * (16 + lane * LANE);
    const [x1, x2] = [slot(from), slot(to)];
    const turn = Math.sign(x2 - x1);
    const tip = to.edge - away * 1;
    const path =
      `M${x1} ${from.edge}V${at + away * ROUND}Q${x1} ${at} ${x1 + turn * ROUND} ${at}` +
      `H${x2 - turn * ROUND}Q${x2} ${at} ${x2} ${at + away * ROUND}V${tip - away * HEAD}`;
    const head = `M${x2} ${tip}l-4.5 ${-away * HEAD}h9z`;
    const badge = x1 + turn * 26;
    return markup`<g class="${step.isToServer ? 'to-server' : 'to-client'}"><title>${index + 1}. ${step.from} to ${step.to}: ${step.words}</title><path class="way" d="${path}"/><path class="head" d="${head}"/><circle class="badge-disc" cx="${badge}" cy="${at}" r="9"/><text class="badge-text" x="${badge}" y="${at + 4}" text-anchor="middle">${index + 1}</text></g>`;
  });
}
