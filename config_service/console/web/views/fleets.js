// Fleets and their nodes: what they have taken, what they refuse and why.

import {call, listAll} from '../api.js';
import {h} from '../dom.js';
import {badge, conditions, duration, facts, idOf, link, section, table, time, trail} from '../parts.js';

export async function load([id]) {
  if (id) return loadOne(id);
  const fleets = await listAll('Fleets', 'ListFleets', 'fleets');
  return {title: 'Fleets', watches: ['fleets/'], nodes: [
    section('Fleets', null, table('Fleets', [
      ['Fleet', (one) => link('fleets/' + idOf(one.name), idOf(one.name))],
      ['Connected nodes', (one) => `${one.connectedNodeCount} of ${one.nodeCount}`],
      ['Listens on', (one) => `${one.listenAddress || '0.0.0.0'}:${one.listenPort || 8443}`],
      ['Default endpoints', (one) => one.defaultEndpointSuffix || 'none'],
      ['Conditions', (one) => conditions(one.conditions)],
    ], fleets)),
  ]};
}

async function loadOne(id) {
  const name = `fleets/${id}`;
  const [fleet, nodes, rollout, domains] = await Promise.all([
    call('Fleets', 'GetFleet', {name}),
    listAll('Fleets', 'ListNodes', 'nodes', {parent: name}),
    call('Fleets', 'GetRollout', {fleet: name}),
    listAll('DomainNames', 'ListDomainNames', 'domainNames'),
  ]);
  const served = domains.filter((d) => (d.fleets.length ? d.fleets.includes(name) : id === 'default'));
  return {title: id, trail: trail(['fleets', 'Fleets']), watches: [name, 'domainNames/'], nodes: [
    section('Details', null, facts([
      ['Description', fleet.description],
      ['Listens on', `${fleet.listenAddress || '0.0.0.0'}:${fleet.listenPort || 8443}`],
      ['Default endpoints', fleet.defaultEndpointSuffix || 'none'],
      ['Domain names', served.length ? served.map((d, i) => [i ? ', ' : '', link('domains/' + idOf(d.name), idOf(d.name))]) : 'none'],
      ['Conditions', conditions(fleet.conditions)],
    ])),
    section('Rollout', null, facts([
      ['Revision', rollout.revision],
      ['In force on every connected node', rollout.connectedNodeCount === 0 ? badge('warn', 'no node is connected')
        : rollout.complete ? badge('good', 'yes') : badge('warn', 'not yet')],
      ['Nodes that have all of it', `${rollout.acknowledgedNodeCount} of ${rollout.connectedNodeCount}`],
      ['Nodes that wait', rollout.pendingNodes.map(idOf).join(', ') || 'none'],
    ])),
    section('Nodes', null, table('Nodes', [
      ['Node', (one) => idOf(one.name)],
      ['Connected', (one) => (one.connected ? badge('good', 'yes') : badge('bad', 'no'))],
      ['Last seen', (one) => time(one.lastSeenTime)],
      ['From', (one) => one.address || '–'],
      ['Envoy', (one) => one.softwareVersion || '–'],
      ['Has revision', (one) => one.acknowledgedRevision],
      ['Behind by', (one) => (one.lag ? duration(one.lag) : 'nothing')],
      ['Refuses', (one) => (one.refusalCount ? badge('bad', String(one.refusalCount)) : '0')],
    ], nodes, 'No node has connected yet.')),
    ...nodes.map(showNode),
  ]};
}

function showNode(node) {
  return section(`Node ${idOf(node.name)}`, null,
    table(`What ${idOf(node.name)} has taken`, [
      ['Type', (one) => one.type],
      ['Asked for', (one) => String(one.subscribedCount)],
      ['Acknowledged', (one) => String(one.acknowledgedCount)],
      ['Refused', (one) => (one.refusedCount ? badge('bad', String(one.refusedCount)) : '0')],
      ['Last acknowledged', (one) => time(one.lastAcknowledgeTime)],
    ], node.types, 'It has asked for nothing.'),
    node.refusals.length ? [h('h3', {}, 'Refused; what was in force before stays'), refusalTable(`What ${idOf(node.name)} refused`, node.refusals)] : null);
}

export function refusalTable(caption, refusals) {
  return table(caption, [
    ['Comes from', (one) => one.cause || 'not known'],
    ['What', (one) => `${one.type} ${one.resource}`],
    ...(refusals.some((one) => one.node) ? [['Node', (one) => one.node]] : []),
    ['Since', (one) => time(one.time)],
    ['Revision', (one) => one.revision],
    ['Reason', (one) => h('code', {}, one.reason)],
  ], refusals);
}
