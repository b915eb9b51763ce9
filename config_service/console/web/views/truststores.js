// Truststores: the list, and making one.

import {call, listAll, mayChange} from '../api.js';
import {badge, base64, button, conditions, dialog, idOf, link, section, table} from '../parts.js';

export async function load() {
  const truststores = await listAll('Truststores', 'ListTruststores', 'truststores');
  return {title: 'Truststores', watches: ['truststores/'], nodes: [
    section('Truststores', mayChange() ? button('Create', create, 'main') : null, table('Truststores', [
      ['Truststore', (one) => link('truststores/' + idOf(one.name), idOf(one.name))],
      ['Active version', (one) => (one.activeVersion ? idOf(one.activeVersion) : badge('bad', 'none'))],
      ['URI', (one) => one.source?.uri || '–'],
      ['Warnings', (one) => (one.warningCount ? badge('warn', String(one.warningCount)) : '0')],
      ['Conditions', (one) => conditions(one.conditions)],
    ], truststores)),
  ]};
}

const CONTENT = [
  {name: 'file', label: 'File with certificates (PEM)', type: 'file', path: 'pem'},
  {name: 'pem', label: 'Or the certificates themselves (PEM)', type: 'textarea', path: 'pem'},
];
export const contentFields = CONTENT;
export async function contentOf(values) {
  if (values.file) return base64(values.file);
  return values.pem ? base64(values.pem) : '';
}

function create() {
  dialog('Create a truststore', [
    {name: 'id', label: 'Name', required: true, path: 'truststore_id', help: 'Small letters, digits and hyphens.'},
    {name: 'description', label: 'Description', path: 'truststore.description'},
    {name: 'uri', label: 'Truststore URI', path: 'truststore.source', help: 's3://bucket/key, or file:///path below a folder that the service may read.'},
    ...CONTENT,
  ], {
    submit: 'Create truststore', done: 'The truststore is made.',
    onSubmit: async (v) => {
      const truststore = {description: v.description};
      if (v.uri.trim()) truststore.source = {uri: v.uri.trim()};
      await call('Truststores', 'CreateTruststore', {truststoreId: v.id, truststore, pem: await contentOf(v)});
      location.hash = `#/truststores/${v.id}`;
    },
  });
}
