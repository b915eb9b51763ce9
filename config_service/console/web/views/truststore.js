// One truststore: its versions, the certificates of one, what differs between two.

import {call, listAll, mayChange} from '../api.js';
import {h} from '../dom.js';
import {badge, button, conditions, confirm, dialog, errorBox, expiryBadge, facts, form, idOf, link, section, table, time, timeWindow,
  timeline, trail, warnings} from '../parts.js';
import {contentFields, contentOf} from './truststores.js';

const MOST = 200;
const STATES = {ACTIVE: 'good', CANDIDATE: 'warn'};

export async function load([id], query) {
  const name = `truststores/${id}`;
  const [truststore, versions, domains] = await Promise.all([
    call('Truststores', 'GetTruststore', {name}),
    listAll('Truststores', 'ListTruststoreVersions', 'truststoreVersions', {parent: name}),
    listAll('DomainNames', 'ListDomainNames', 'domainNames'),
  ]);
  const users = domains.filter((d) => d.mutualTls?.truststores.some((t) => t.truststore === name));
  const chosen = query.get('version') ? `${name}/versions/${query.get('version')}` : truststore.activeVersion;
  const may = mayChange();
  const nodes = [
    warnings(truststore.warnings, truststore.warningCount),
    section('Details', may ? [
      button('Edit', () => edit(truststore)),
      button('Delete', () => confirm(`Delete ${id}`, 'All its versions are deleted too.', 'Delete', async () => {
        await call('Truststores', 'DeleteTruststore', {name, etag: truststore.etag});
        location.hash = '#/truststores';
      }, 'Deleted.'), 'danger')] : null,
    facts([
      ['Description', truststore.description],
      ['Truststore URI', truststore.source?.uri || 'none; content comes in requests'],
      ['Object version', truststore.source?.objectVersion || undefined],
      ['Watched', truststore.source ? truststore.source.watch.replace('WATCH_UNSPECIFIED', 'OFF') : undefined],
      ['Active version', truststore.activeVersion ? idOf(truststore.activeVersion) : badge('bad', 'none: it trusts nobody')],
      ['Version before', truststore.previousVersion ? idOf(truststore.previousVersion) : undefined],
      ['Shadow version', truststore.shadowVersion ? idOf(truststore.shadowVersion) : undefined],
      ['Chain policy', truststore.chainPolicy.replace('CHAIN_POLICY_UNSPECIFIED', 'COMPLETE_CHAIN')],
      ['Domain names that use it', users.length ? users.map((d, i) => [i ? ', ' : '', link('domains/' + idOf(d.name), idOf(d.name))]) : 'none'],
      ['Conditions', conditions(truststore.conditions)],
    ])),
    section('Versions', may ? [
      button('Add version', () => addVersion(truststore), 'main'),
      truststore.previousVersion ? button('Roll back', () => confirm('Roll back',
        `Version ${idOf(truststore.previousVersion)} becomes active in place of ${idOf(truststore.activeVersion)}. Clients that only the newer one trusts get in no more, at once.`,
        'Roll back', () => call('Truststores', 'RollbackTruststore', {name, etag: truststore.etag}), 'Rolled back.')) : null] : null,
    table('Versions, the newest first', [
      ['Version', (one) => link(`truststores/${id}?version=${idOf(one.name)}`, idOf(one.name))],
      ['State', (one) => badge(STATES[one.state] || '', one.state)],
      ['Made', (one) => time(one.createTime)],
      ['Certificates', (one) => String(one.certificateCount)],
      ['Gives trust', (one) => (one.givesTrust ? badge('good', 'yes') : badge('bad', 'no'))],
      ['First expiry', (one) => (one.firstExpiry ? [time(one.firstExpiry), ' ', expiryBadge(one.firstExpiry)] : '–')],
      ['Warnings', (one) => (one.warningCount ? badge('warn', String(one.warningCount)) : '0')],
      ['Description', (one) => one.description || '–'],
      ...(may ? [['Actions', (one) => (one.state === 'ACTIVE' ? 'is active' : button(`Activate version ${idOf(one.name)}`, () => activate(truststore, one)))]] : []),
    ], versions)),
  ];
  if (chosen) nodes.push(await certificatesOf(chosen, truststore));
  if (versions.length > 1) nodes.push(await differences(id, versions, query));
  return {title: id, trail: trail(['truststores', 'Truststores']), watches: [name, 'domainNames/'], nodes};
}

async function certificatesOf(version) {
  const entries = await listAll('Truststores', 'ListTruststoreCertificates', 'entries', {parent: version}, MOST);
  const [from, to] = timeWindow();
  return section(`Certificates of version ${idOf(version)}`, null,
    entries.more ? h('p', {class: 'soft'}, `The first ${entries.length}.`) : null,
    table(`Certificates of version ${idOf(version)}; the lines go from a year ago to two years from now`, [
      ['Subject', (one) => one.certificate.subject],
      ['Issuer', (one) => (one.certificate.selfSigned ? 'itself' : one.certificate.issuer)],
      ['Valid from', (one) => time(one.certificate.notBefore)],
      ['Valid to', (one) => time(one.certificate.notAfter)],
      ['Expiry', (one) => [expiryBadge(one.certificate.notAfter), timeline(one.certificate.notBefore, one.certificate.notAfter, from, to)]],
      ['Key', (one) => one.certificate.key],
      ['CA', (one) => (one.certificate.ca ? 'yes' : 'no')],
      ['SHA-256', (one) => h('details', {id: 'sha-' + one.index}, h('summary', {}, one.certificate.certificateSha256.slice(0, 12)),
        h('code', {}, one.certificate.certificateSha256))],
      ['Warnings', (one) => (one.warnings.length ? one.warnings.map((w) => h('p', {}, badge(w.removesTrust ? 'bad' : 'warn', w.reason), ' ', w.message)) : '–')],
    ], entries));
}

async function differences(id, versions, query) {
  const options = versions.map((v) => [idOf(v.name), `${idOf(v.name)} (${v.state})`]);
  const active = versions.find((v) => v.state === 'ACTIVE');
  const to = query.get('to') || idOf(versions[0].name);
  const from = query.get('from') || idOf((active && active !== versions[0] ? active : versions[1]).name);
  let result = null;
  if (query.get('from')) {
    try {
      const diff = await call('Truststores', 'DiffTruststoreVersions',
        {from: `truststores/${id}/versions/${from}`, to: `truststores/${id}/versions/${to}`, pageSize: MOST});
      result = showDifferences(diff, from, to);
    } catch (error) {
      result = errorBox(error);
    }
  }
  return section('Compare versions', null, form([
    {name: 'from', label: 'From version', type: 'select', options, value: from, required: true},
    {name: 'to', label: 'To version', type: 'select', options, value: to, required: true},
  ], {submit: 'Compare', onSubmit: (v) => { location.hash = `#/truststores/${id}?from=${v.from}&to=${v.to}`; }}), result);
}

function showDifferences(diff, from, to) {
  const certificate = (c) => [c.subject, ' ', h('span', {class: 'soft'}, `${c.key}, to ${c.notAfter.slice(0, 10)}, ${c.certificateSha256.slice(0, 12)}`)];
  const rows = [
    ...diff.added.map((c) => [badge('good', 'added'), certificate(c)]),
    ...diff.removed.map((c) => [badge('bad', 'removed'), certificate(c)]),
    ...diff.changed.map((c) => [badge('warn', c.sameKey ? 'renewed, same key' : 'new key'),
      [h('p', {}, 'before: ', certificate(c.before)), h('p', {}, 'after: ', certificate(c.after))]]),
  ];
  return h('div', {id: 'differences'}, h('p', {role: 'status'},
    `From version ${from} to ${to}: ${diff.addedCount} added, ${diff.removedCount} removed, ${diff.changedCount} changed.`),
  table(`What differs between versions ${from} and ${to}`, [['Difference', (row) => row[0]], ['Certificate', (row) => row[1]]], rows, 'They have the same certificates.'));
}

function activate(truststore, version) {
  confirm(`Activate version ${idOf(version.name)}`,
    'It decides at once, also for connections that are open. Compare it with the active one first.',
    'Activate', () => call('Truststores', 'ActivateTruststoreVersion', {name: version.name, etag: truststore.etag}), 'Activated.');
}

function addVersion(truststore) {
  dialog('Add a version', [
    {name: 'description', label: 'Description', path: 'truststore_version.description'},
    ...contentFields,
    {name: 'activate', label: 'Activate it at once', type: 'check'},
  ], {
    submit: 'Add version', done: 'The version is there.',
    intro: truststore.source?.uri ? h('p', {}, `Without content it is read from ${truststore.source.uri}.`) : null,
    onSubmit: async (v) => {
      const pem = await contentOf(v);
      await call('Truststores', 'CreateTruststoreVersion', {parent: truststore.name, truststoreVersion: {description: v.description},
        ...(pem ? {pem} : {}), activate: v.activate, truststoreEtag: truststore.etag});
    },
  });
}

function edit(truststore) {
  dialog('Edit the truststore', [
    {name: 'description', label: 'Description', value: truststore.description, path: 'truststore.description'},
    {name: 'uri', label: 'Truststore URI', value: truststore.source?.uri, path: 'truststore.source'},
    {name: 'policy', label: 'Chain policy', type: 'select', required: true, value: truststore.chainPolicy.replace('CHAIN_POLICY_UNSPECIFIED', 'COMPLETE_CHAIN'),
      options: [['COMPLETE_CHAIN', 'COMPLETE_CHAIN: every CA up to the root is in it'], ['ANY_ANCHOR', 'ANY_ANCHOR: any CA of it is enough']], path: 'truststore.chain_policy'},
  ], {
    done: 'Saved.',
    onSubmit: (v) => {
      const uri = v.uri.trim();
      const source = uri ? {...(truststore.source || {}), uri} : undefined;
      return call('Truststores', 'UpdateTruststore', {
        truststore: {name: truststore.name, etag: truststore.etag, description: v.description, chainPolicy: v.policy, ...(source ? {source} : {})},
        updateMask: 'description,chainPolicy,source'});
    },
  });
}
