// How things are, at a glance.

import {call, listAll} from '../api.js';
import {h} from '../dom.js';
import {badge, facts, section, table, link, idOf} from '../parts.js';

export async function load() {
  const [domains, truststores, apis, certificates, fleets, rollout] = await Promise.all([
    listAll('DomainNames', 'ListDomainNames', 'domainNames'),
    listAll('Truststores', 'ListTruststores', 'truststores'),
    listAll('Apis', 'ListApis', 'apis'),
    listAll('ClientCertificates', 'ListClientCertificates', 'clientCertificates'),
    listAll('Fleets', 'ListFleets', 'fleets'),
    call('Fleets', 'GetRollout'),
  ]);
  const card = (path, text, list) => h('a', {href: '#/' + path},
    h('strong', {}, list.length + (list.more ? '+' : '')), text);
  const troubled = domains.filter((one) => one.status !== 'AVAILABLE');
  return {title: 'Overview', watches: [], nodes: [
    h('div', {class: 'cards'},
      card('domains', 'custom domain names', domains), card('truststores', 'truststores', truststores),
      card('apis', 'APIs', apis), card('client-certificates', 'client certificates', certificates),
      card('fleets', 'fleets', fleets)),
    section('Configuration on the nodes', null, facts([
      ['Revision', rollout.revision],
      ['In force everywhere', rollout.connectedNodeCount === 0 ? badge('warn', 'no node is connected')
        : rollout.complete ? badge('good', 'yes') : badge('warn', 'not yet')],
      ['Connected nodes', String(rollout.connectedNodeCount)],
      ['Nodes that have all of it', String(rollout.acknowledgedNodeCount)],
      ['Nodes that refuse something', rollout.refusingNodeCount
        ? [badge('bad', String(rollout.refusingNodeCount)), ' ', link('refusals', 'What and why')] : '0'],
    ])),
    section('Domain names that need a look', null, table('Domain names that are not available',
      [['Domain name', (one) => link('domains/' + idOf(one.name), idOf(one.name))],
        ['Status', (one) => badge(one.status === 'FAILED' ? 'bad' : 'warn', one.status)],
        ['Why', (one) => one.statusMessage]], troubled, 'None: all are available.')),
  ]};
}
