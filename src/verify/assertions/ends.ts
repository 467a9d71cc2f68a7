// Whose addresses open and take the connections at a capture point.
import { firstOf } from '../claim.ts';
import type { EndsAssertion, Party } from '../../topology/types.ts';
import { MissingEvidenceError } from '../observe.ts';
import { count, list, spread } from '../words.ts';
import type { Judge } from './kind.ts';
import { addressText, at, citeConnections, openedAt, partyText, type Located } from './places.ts';

const has = (parties: readonly Party[], address: string) =>
  parties.some(({ addresses }) => addresses.includes(address));
const names = (parties: readonly Party[]) => list(parties.map(partyText));

function addressOf(kind: EndsAssertion['kind'], { connection: { client, server } }: Located): string {
  return kind === 'sources' ? client.address : server.address;
}

export const endsJudge: Judge<EndsAssertion> = {
  expected: ({ kind, at: place, are, include, exclude }) =>
    list([
      ...(are === undefined ? [] : [`the ${kind} ${at(place)} are ${names(are)}, and each occurs`]),
      ...(include === undefined
        ? []
        : [`${names(include)} ${include.length === 1 ? 'is' : 'are'} among the ${kind} ${at(place)}`]),
      ...(exclude === undefined
        ? []
        : [`none of the ${kind} ${at(place)} is ${names(exclude).replace(' and ', ' or ')}`]),
    ]),
  measure: ({ kind, at: place, are, include, exclude }, seen) => {
    const opened = openedAt(seen, place);
    if (opened.length === 0) throw new MissingEvidenceError(`no SYN was captured ${at(place)}`);
    const addresses = opened.map((located) => addressOf(kind, located));
    const wrong = opened.filter((located) => {
      const address = addressOf(kind, located);
      return (are !== undefined && !has(are, address)) || (exclude !== undefined && has(exclude, address));
    });
    const absent = [...(are ?? []), ...(include ?? [])].filter(
      (party) => !addresses.some((address) => party.addresses.includes(address)),
    );
    const shown = addresses.map((address) => addressText(seen, address));
    return {
      holds: wrong.length === 0 && absent.length === 0,
      observed:
        `${count(opened.length, 'connection')}: ${spread(shown, kind === 'sources' ? 'from' : 'to')}` +
        (absent.length === 0 ? '' : `; never ${list(absent.map(partyText))}`),
      evidence: citeConnections(firstOf(wrong, opened)),
    };
  },
};
