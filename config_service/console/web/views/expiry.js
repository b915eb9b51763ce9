// Everything that expires, the first to do so first.

import {call, listAll} from '../api.js';
import {h} from '../dom.js';
import {expiryBadge, idOf, link, section, table, time, timeWindow, timeline} from '../parts.js';

export async function load() {
  const [servers, clients, truststores, lists, issuers] = await Promise.all([
    listAll('ServerCertificates', 'ListServerCertificates', 'serverCertificates'),
    listAll('ClientCertificates', 'ListClientCertificates', 'clientCertificates'),
    listAll('Truststores', 'ListTruststores', 'truststores'),
    listAll('RevocationLists', 'ListRevocationLists', 'revocationLists'),
    listAll('Issuers', 'ListIssuers', 'issuers'),
  ]);
  const versions = await Promise.all(truststores.filter((t) => t.activeVersion).slice(0, 100).map((t) =>
    call('Truststores', 'GetTruststoreVersion', {name: t.activeVersion})));
  const rows = [
    ...servers.map((c) => ({kind: 'Server certificate', what: idOf(c.name), from: c.certificates[0]?.notBefore, to: c.notAfter,
      renewed: c.renewTime ? ['renewed from ', time(c.renewTime), ' on'] : 'by hand'})),
    ...clients.map((c) => ({kind: 'Client certificate', what: link('client-certificates/' + idOf(c.name), idOf(c.name)),
      from: c.certificates[0]?.notBefore, to: c.notAfter, renewed: 'by hand'})),
    ...versions.filter((v) => v.firstExpiry).map((v) => ({kind: 'Truststore, its first certificate', what: link('truststores/' + v.name.split('/')[1], v.name.split('/')[1]),
      from: v.createTime, to: v.firstExpiry, renewed: 'a new version'})),
    ...lists.filter((l) => l.nextUpdate).map((l) => ({kind: 'Revocation list', what: idOf(l.name), from: l.lists[0]?.thisUpdate, to: l.nextUpdate, renewed: 'by its issuer'})),
    ...issuers.filter((i) => i.notAfter).map((i) => ({kind: 'Issuer', what: idOf(i.name), from: i.certificates[0]?.notBefore, to: i.notAfter, renewed: 'by hand'})),
  ].sort((a, b) => Date.parse(a.to) - Date.parse(b.to));
  const [from, to] = timeWindow();
  return {title: 'Expiry', watches: ['serverCertificates/', 'clientCertificates/', 'truststores/', 'revocationLists/'], nodes: [
    section('What expires, and when', null, table('What expires; the lines go from a year ago to two years from now', [
      ['What', (one) => one.what],
      ['Kind', (one) => one.kind],
      ['Expires', (one) => time(one.to)],
      ['Left', (one) => [expiryBadge(one.to), one.from ? timeline(one.from, one.to, from, to) : null]],
      ['Renewal', (one) => one.renewed],
    ], rows)),
    truststores.length > 100 ? h('p', {}, 'Of truststores, the first 100.') : null,
  ]};
}
