// Claims about address translation in both directions: what holds where the article's sentence about the source is true. The comment at
// each names the lab on which it must fail.
import { cite, claim, firstOf } from '../claim.ts';
import { isOnLink } from '../roles.ts';
import type { Claim } from '../types.ts';
import { count, list } from '../words.ts';
import { oneConnection, sourceIsBalancer, spreads } from './common.ts';

// Fails on nat: the source is the client.
const source = sourceIsBalancer({
  id: 'fullnat.source',
  article: 'バックエンドサーバから見たときの接続元IPアドレスはLBのIPアドレスになる',
});

// Fails on l7.
const one = oneConnection(
  {
    id: 'fullnat.one-connection',
    title: 'There is still one TCP connection',
    article: 'ロードバランサでTCPコネクションは終端しない',
  },
  'outside',
  'inside',
);

// Fails with one backend of weight 0.
const spreadOver = spreads({ id: 'fullnat.spread' });

// Fails on nat without the backends' default route: requests come to them and no answer finds its way back.
const noGateway = claim({
  id: 'fullnat.no-gateway',
  title: 'A backend needs no route through the balancer',
  expected: () =>
    'no backend has a default route, each answers an address on its own segment, and every request is answered',
  measure: (seen) => {
    const { roles, evidence } = seen;
    const routed = evidence.topology.nodes
      .filter(({ name }) => roles.backends.some(({ node }) => node === name))
      .filter(({ routes }) =>
        routes.some(({ to }) => to === 'default' || to === '0.0.0.0/0' || to === '::/0'),
      )
      .map(({ name }) => name);
    const opened = seen.opened('client');
    const failed = opened.filter(
      ({ connection: { http } }) => http.length === 0 || http.some(({ response }) => response === undefined),
    );
    const far = seen.packets('backend').filter(({ toServer, point, packet }) => {
      const { interfaces } = roles.backends.find(({ node }) => node === point.node)!;
      return !toServer && !interfaces.some((link) => isOnLink(link, packet.ip.destination));
    });
    return {
      holds: routed.length === 0 && failed.length === 0 && far.length === 0,
      observed:
        `${routed.length === 0 ? 'no backend has' : `${list(routed)} ${routed.length === 1 ? 'has' : 'have'}`} a default route; ` +
        `${far.length === 0 ? 'no answer leaves' : count(far.length, 'packet leaves', 'packets leave')} for another segment; ` +
        `${opened.length - failed.length} of ${count(opened.length, 'request')} answered`,
      evidence: cite(
        firstOf(
          far,
          firstOf(failed, opened).map(({ syn }) => syn),
        ),
      ),
    };
  },
});

export const fullnatClaims: readonly Claim[] = [source, one, spreadOver, noGateway];
