// One domain name: mutual TLS, mappings.

import {call, listAll, mayChange} from '../api.js';
import {h} from '../dom.js';
import {badge, button, conditions, confirm, dialog, facts, idOf, link, section, table, time, trail, warnings} from '../parts.js';
import {POLICIES, STATUS, mutualTlsFields, truststoreOf} from './domains.js';

export async function load([id]) {
  const name = `domainNames/${id}`;
  const [domain, mappings, nodes] = await Promise.all([
    call('DomainNames', 'GetDomainName', {name}),
    listAll('ApiMappings', 'ListApiMappings', 'apiMappings', {parent: name}),
    listAll('Fleets', 'ListNodes', 'nodes', {parent: 'fleets/-'}),
  ]);
  const truststores = await Promise.all((domain.mutualTls?.truststores || []).map((one) =>
    call('Truststores', 'GetTruststore', {name: one.truststore}).catch(() => ({name: one.truststore, source: null}))));
  const refused = nodes.flatMap((node) => node.refusals.filter((r) => r.cause === name || r.cause.startsWith(name + '/'))
    .map((refusal) => ({node: node.name, ...refusal})));
  const may = mayChange();
  const mutual = domain.mutualTls;
  return {
    title: id, trail: trail(['domains', 'Custom domain names']),
    watches: [name, 'truststores/', 'serverCertificates/', 'fleets/'],
    nodes: [
      warnings(domain.warnings, domain.warningCount),
      section('Details', may ? [button('Edit', () => edit(domain)), button('Delete', () => confirm(`Delete ${id}`,
        'Clients can no longer reach it. Its API mappings have to be deleted first.', 'Delete',
        async () => {
          await call('DomainNames', 'DeleteDomainName', {name, etag: domain.etag});
          location.hash = '#/domains';
        }, 'Deleted.'), 'danger')] : null, facts([
        ['Status', [badge(STATUS[domain.status] || 'bad', domain.status), ' ', domain.statusMessage]],
        ['Description', domain.description],
        ['Minimum TLS version', (POLICIES.find(([key]) => key === domain.securityPolicy) || ['', domain.securityPolicy])[1]],
        ['Endpoint', domain.endpointType],
        ['Certificate', idOf(domain.serverCertificate)],
        ['Ownership verification certificate', domain.ownershipVerificationCertificate ? idOf(domain.ownershipVerificationCertificate) : undefined],
        ['Fleets', domain.fleets.length ? domain.fleets.map((one, i) => [i ? ', ' : '', link('fleets/' + idOf(one), idOf(one))]) : link('fleets/default', 'default')],
        ['Conditions', conditions(domain.conditions)],
        ['Last change', time(domain.updateTime)],
      ])),
      section('Mutual TLS authentication', may ? button('Edit mutual TLS', () => editMutualTls(domain)) : null,
        mutual ? facts([
          ['Mutual TLS', badge('good', 'on')],
          ...truststores.flatMap((one, i) => [
            [i ? `Truststore ${i + 1}` : 'Truststore', [link('truststores/' + idOf(one.name), idOf(one.name)),
              mutual.truststores[i].version ? ` (stays at version ${idOf(mutual.truststores[i].version)})` : '']],
            ['Truststore URI', one.source?.uri || 'none; content comes in requests'],
          ]),
          ['Client certificate', mutual.clientCertificate.replace('CLIENT_CERTIFICATE_UNSPECIFIED', 'REQUIRED')],
          ['Who is not trusted gets', mutual.rejection.replace('REJECTION_STYLE_UNSPECIFIED', 'FORBIDDEN')],
          ['Lists of who is refused', mutual.denyLists.length ? mutual.denyLists.map(idOf).join(', ') : undefined],
          ['Lists of who is let in', mutual.allowLists.length ? mutual.allowLists.map(idOf).join(', ') : undefined],
          ['Client rule', mutual.allow ? 'there is one (sallyportctl get)' : undefined],
          ['Rules for paths', mutual.paths.length ? String(mutual.paths.length) : undefined],
        ]) : facts([['Mutual TLS', [badge('', 'off'), ' Clients need no certificate.']]])),
      section('API mappings', may ? button('Add new mapping', () => editMapping(name, null), 'main') : null,
        table('API mappings', [
          ['Path', (one) => (one.basePath ? '/' + one.basePath : '(none)')],
          ['API', (one) => link('apis/' + one.stage.split('/')[1], one.stage.split('/')[1])],
          ['Stage', (one) => idOf(one.stage)],
          ['Conditions', (one) => conditions(one.conditions)],
          ...(may ? [['Actions', (one) => h('div', {class: 'actions'},
            button(`Edit ${one.basePath || 'root'}`, () => editMapping(name, one)),
            button(`Remove ${one.basePath || 'root'}`, () => confirm('Remove the mapping', `Requests below "/${one.basePath}" are no longer answered.`,
              'Remove', () => call('ApiMappings', 'DeleteApiMapping', {name: one.name, etag: one.etag}), 'Removed.'), 'danger'))]] : []),
        ], mappings)),
      refused.length ? section('Refused by nodes', null, table('Configuration of this domain that nodes refused', [
        ['Node', (one) => one.node], ['What', (one) => `${one.type} ${one.resource}`],
        ['Since', (one) => time(one.time)], ['Reason', (one) => one.reason],
      ], refused)) : null,
    ],
  };
}

async function edit(domain) {
  const certificates = await listAll('ServerCertificates', 'ListServerCertificates', 'serverCertificates');
  dialog('Edit the domain name', [
    {name: 'description', label: 'Description', value: domain.description, path: 'domain_name.description'},
    {name: 'policy', label: 'Minimum TLS version', type: 'select', options: POLICIES, required: true, path: 'domain_name.security_policy',
      value: domain.securityPolicy === 'SECURITY_POLICY_UNSPECIFIED' ? 'TLS_1_2' : domain.securityPolicy},
    {name: 'certificate', label: 'Certificate', type: 'select', required: true, value: domain.serverCertificate, path: 'domain_name.server_certificate',
      options: certificates.map((c) => [c.name, `${idOf(c.name)} (${(c.certificates[0]?.dnsNames || []).join(', ')})`])},
  ], {
    done: 'Saved.',
    onSubmit: (v) => call('DomainNames', 'UpdateDomainName', {
      domainName: {name: domain.name, etag: domain.etag, description: v.description, securityPolicy: v.policy, serverCertificate: v.certificate},
      updateMask: 'description,securityPolicy,serverCertificate'}),
  });
}

async function editMutualTls(domain) {
  dialog('Edit mutual TLS', await mutualTlsFields(domain.mutualTls), {
    done: 'Saved.',
    onSubmit: async (v) => {
      const domainName = {name: domain.name, etag: domain.etag};
      let updateMask = 'mutualTls';
      if (v.mutual) {
        const truststore = await truststoreOf(v);
        const old = domain.mutualTls?.truststores || [];
        // The others, and what is said of this one, stay.
        const first = old[0]?.truststore === truststore ? old[0] : {truststore};
        domainName.mutualTls = {truststores: [first, ...old.slice(1)]};
        if (domain.mutualTls) updateMask = 'mutualTls.truststores';
      }
      await call('DomainNames', 'UpdateDomainName', {domainName, updateMask});
    },
  });
}

async function editMapping(parent, mapping) {
  const stages = await listAll('Apis', 'ListStages', 'stages', {parent: 'apis/-'});
  dialog(mapping ? 'Edit the mapping' : 'Add new mapping', [
    {name: 'stage', label: 'API and stage', type: 'select', required: true, value: mapping?.stage, path: 'api_mapping.stage',
      options: [['', 'Choose one'], ...stages.map((s) => [s.name, `${s.name.split('/')[1]} / ${idOf(s.name)}`])]},
    {name: 'path', label: 'Path', value: mapping?.basePath, path: 'api_mapping.base_path', help: 'Empty: everything that no other mapping covers.'},
  ], {
    done: 'Saved.', submit: 'Save',
    onSubmit: (v) => (mapping
      ? call('ApiMappings', 'UpdateApiMapping', {apiMapping: {name: mapping.name, etag: mapping.etag, stage: v.stage, basePath: v.path}, updateMask: 'stage,basePath'})
      : call('ApiMappings', 'CreateApiMapping', {parent, apiMapping: {stage: v.stage, basePath: v.path}})),
  });
}
