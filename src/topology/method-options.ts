// What is particular to a method: the section of options that bears its name, and the faults that can be built into it.
import { methodOf, METHODS } from '../balancers/index.ts';
import type { Context } from './context.ts';
import type { DeclaredBalancer } from './schema.ts';
import { milliseconds } from './time.ts';
import type { Balancer, DnsOptions, NginxOptions } from './types.ts';

export function checkOptions(balancer: DeclaredBalancer, context: Context): void {
  const { method, nginx } = balancer;
  const { section: own, sabotages } = methodOf(method);
  for (const section of new Set(METHODS.map((name) => methodOf(name).section))) {
    if (section === undefined || section === own || Reflect.get(balancer, section) === undefined) continue;
    context.report(['balancer', section], `${section} options with method ${method}`, 'remove them', true);
  }
  for (const key of ['sticky-cookie', 'http', 'location'] as const) {
    if (method !== 'nginx-stream' || nginx?.[key] === undefined || nginx[key].length === 0) continue;
    context.report(
      ['balancer', 'nginx', key],
      `nginx-stream reads no HTTP, so it has no ${key}`,
      'remove it, or use method nginx',
      true,
    );
  }
  for (const [index, sabotage] of balancer.sabotage.entries()) {
    if (sabotages.includes(sabotage)) continue;
    context.report(
      ['balancer', 'sabotage', index],
      `method ${method} does not have what ${sabotage} takes away`,
      `it is for ${METHODS.filter((name) => methodOf(name).sabotages.includes(sabotage)).join(', ')}`,
    );
  }
}

export function nginxOptions({ nginx }: DeclaredBalancer, conf: string | undefined): NginxOptions {
  const version = nginx?.['http-version'] ?? '1.0';
  return {
    upstream: nginx?.upstream ?? 'myapp1',
    forwardedFor: nginx?.['forwarded-for'] ?? true,
    httpVersion: version === '1.1' || version === 1.1 ? '1.1' : '1.0',
    ...(nginx?.['max-fails'] !== undefined && { maxFails: nginx['max-fails'] }),
    ...(nginx?.['fail-timeout'] !== undefined && { failTimeout: milliseconds(nginx['fail-timeout']) / 1000 }),
    ...(nginx?.['connect-timeout'] !== undefined && {
      connectTimeout: milliseconds(nginx['connect-timeout']) / 1000,
    }),
    ...(nginx?.['sticky-cookie'] === undefined ? {} : { stickyCookie: nginx['sticky-cookie'] }),
    http: nginx?.http ?? [],
    upstreamDirectives: nginx?.['upstream-directives'] ?? [],
    server: nginx?.server ?? [],
    location: nginx?.location ?? [],
    ...(conf === undefined ? {} : { conf }),
  };
}

/** What clients look up and for how long, where nothing is said of it. */
const DNS = { name: 'www.example.test', ttl: '30s' };

export function dnsOptions({ dns }: DeclaredBalancer): DnsOptions {
  const { name, ttl } = dns ?? DNS;
  return { name, ttl: milliseconds(ttl) / 1000 };
}

/** The section of a method whose file in src/balancers says itself what stands there, with its defaults. */
export function ownOptions(balancer: DeclaredBalancer): Pick<Balancer, 'options'> {
  const { section, options } = methodOf(balancer.method);
  if (section === undefined || options === undefined) return {};
  return { options: options.parse(Reflect.get(balancer, section) ?? {}) };
}
