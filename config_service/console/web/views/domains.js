// Custom domain names: the list, and making one.

import {call, listAll, mayChange} from '../api.js';
import {badge, button, dialog, idOf, link, section, table} from '../parts.js';

export const STATUS = {AVAILABLE: 'good', UPDATING: 'warn', PENDING: 'warn', FAILED: 'bad'};
export const POLICIES = [['TLS_1_2', 'TLS 1.2'], ['TLS_1_3', 'TLS 1.3'], ['TLS_1_0', 'TLS 1.0 (not with mutual TLS)']];

export async function load() {
  const domains = await listAll('DomainNames', 'ListDomainNames', 'domainNames');
  return {title: 'Custom domain names', watches: ['domainNames/'], nodes: [
    section('Domain names', mayChange() ? button('Create', create, 'main') : null,
      table('Custom domain names', [
        ['Domain name', (one) => link('domains/' + idOf(one.name), idOf(one.name))],
        ['Status', (one) => badge(STATUS[one.status] || 'bad', one.status)],
        ['Mutual TLS', (one) => (one.mutualTls ? badge('good', 'on') : badge('', 'off'))],
        ['Truststores', (one) => (one.mutualTls ? one.mutualTls.truststores.map((t) => idOf(t.truststore)).join(', ') : '–')],
        ['Minimum TLS version', (one) => one.securityPolicy.replaceAll('_', ' ').replace('TLS 1 ', 'TLS 1.')],
        ['Certificate', (one) => idOf(one.serverCertificate)],
        ['Warnings', (one) => (one.warningCount ? badge('warn', String(one.warningCount)) : '0')],
      ], domains)),
  ]};
}

/** The fields of mutual TLS, for here and for the domain's own page. */
export async function mutualTlsFields(current) {
  const truststores = await listAll('Truststores', 'ListTruststores', 'truststores');
  const named = current ? current.truststores.map((t) => t.truststore) : [];
  return [
    {name: 'mutual', label: 'Mutual TLS authentication', type: 'check', value: Boolean(current)},
    {name: 'truststore', label: 'Truststore', type: 'select', required: true, when: (v) => v.mutual, value: named[0] || 'new',
      path: 'domain_name.mutual_tls', help: named.length > 1 ? `It stands for the first of ${named.length}; the others stay.` : '',
      options: [['new', 'A new one, from a truststore URI'],
        ...truststores.map((t) => [t.name, idOf(t.name) + (t.source?.uri ? ` (${t.source.uri})` : '')])]},
    {name: 'uri', label: 'Truststore URI', required: true, when: (v) => v.mutual && v.truststore === 'new', path: 'truststore.source',
      help: 's3://bucket/key, or file:///path below a folder that the service may read.'},
    {name: 'id', label: 'Name of the new truststore', required: true, when: (v) => v.mutual && v.truststore === 'new', path: 'truststore_id'},
  ];
}

/** The truststore that such a form says; made, if it is new. */
export async function truststoreOf(values) {
  if (values.truststore !== 'new') return values.truststore;
  const made = await call('Truststores', 'CreateTruststore',
    {truststoreId: values.id, truststore: {source: {uri: values.uri.trim()}}});
  return made.name;
}

async function create() {
  const [certificates, issuers, mutual] = await Promise.all([
    listAll('ServerCertificates', 'ListServerCertificates', 'serverCertificates'),
    listAll('Issuers', 'ListIssuers', 'issuers'),
    mutualTlsFields(null),
  ]);
  dialog('Create a domain name', [
    {name: 'domain', label: 'Domain name', required: true, path: 'domain_name_id', help: 'api.example.com, or *.example.com for exactly one label.'},
    {name: 'description', label: 'Description', path: 'domain_name.description'},
    {name: 'policy', label: 'Minimum TLS version', type: 'select', options: POLICIES, value: 'TLS_1_2', required: true, path: 'domain_name.security_policy'},
    ...mutual,
    {name: 'endpoint', label: 'Endpoint configuration', type: 'select', required: true, value: 'REGIONAL', path: 'domain_name.endpoint_type',
      options: [['REGIONAL', 'Regional'], ['EDGE', 'Edge-optimized (not with mutual TLS)'], ['PRIVATE', 'Private (not with mutual TLS)']]},
    {name: 'certificate', label: 'Certificate', type: 'select', required: true, value: issuers.length ? 'new' : '', path: 'domain_name.server_certificate',
      help: issuers.length ? '' : 'Certificates with their keys are imported with sallyportctl: private keys do not pass through a browser.',
      options: [...(issuers.length ? [['new', `A new one from ${idOf(issuers[0].name)}`]] : [['', 'Choose one']]),
        ...certificates.map((c) => [c.name, `${idOf(c.name)} (${(c.certificates[0]?.dnsNames || []).join(', ')})`])]},
  ], {
    submit: 'Create domain name', done: 'The domain name is made.',
    onSubmit: async (v) => {
      let certificate = v.certificate;
      if (certificate === 'new') {
        const id = v.domain.replace(/^\*\./, 'any.').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').slice(0, 63);
        certificate = (await call('ServerCertificates', 'CreateServerCertificate', {
          serverCertificateId: id, serverCertificate: {issuance: {issuer: issuers[0].name, dnsNames: [v.domain]}}})).name;
      }
      const domainName = {description: v.description, securityPolicy: v.policy, endpointType: v.endpoint, serverCertificate: certificate};
      if (v.mutual) domainName.mutualTls = {truststores: [{truststore: await truststoreOf(v)}]};
      await call('DomainNames', 'CreateDomainName', {domainNameId: v.domain, domainName});
      location.hash = `#/domains/${encodeURIComponent(v.domain)}`;
    },
  });
}
