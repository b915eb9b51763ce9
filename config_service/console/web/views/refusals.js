// What nodes refused of their configuration, by what it comes from and by reason.
// Clients that were refused are counted by the nodes, not here.

import {listAll} from '../api.js';
import {h} from '../dom.js';
import {section} from '../parts.js';
import {refusalTable} from './fleets.js';

const resourceOf = (cause) => cause.split('/').slice(0, 2).join('/');

export async function load() {
  const nodes = await listAll('Fleets', 'ListNodes', 'nodes', {parent: 'fleets/-'});
  const all = nodes.flatMap((node) => node.refusals.map((refusal) => ({...refusal, node: node.name})));
  const count = nodes.reduce((sum, node) => sum + node.refusalCount, 0);
  const groups = new Map();
  for (const one of all) {
    const key = resourceOf(one.cause) || 'Not known where it comes from';
    groups.set(key, [...(groups.get(key) || []), one]);
  }
  return {title: 'Refusals', watches: ['fleets/'], nodes: [
    h('p', {}, 'Configuration that nodes refused; what was in force there before stays. ',
      'Clients that a domain refused are counted by each node, by domain and reason (sallyport metrics of Envoy), and are in its access log.'),
    count > all.length ? h('p', {}, `${all.length} of ${count} are shown.`) : null,
    ...[...groups].sort(([a], [b]) => a.localeCompare(b)).map(([key, list]) =>
      section(key, null, refusalTable(`Refused of ${key}`, list.sort((a, b) => a.reason.localeCompare(b.reason))))),
    all.length ? null : section('Nothing is refused', null, h('p', {}, `${nodes.length} nodes are known.`)),
  ]};
}
