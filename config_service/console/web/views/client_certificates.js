// Client certificates: what nodes present to backends. The private keys are the
// service's; no answer has them.

import {call, listAll, mayChange} from '../api.js';
import {h} from '../dom.js';
import {badge, button, conditions, confirm, copyButton, dialog, expiryBadge, facts, idOf, link, saveButton, section, table, time, timeWindow,
  timeline, trail, warnings} from '../parts.js';

const KEYS = [['RSA_2048', 'RSA 2048'], ['RSA_3072', 'RSA 3072'], ['ECDSA_P256', 'ECDSA P-256'], ['ECDSA_P384', 'ECDSA P-384']];
const apiOf = (stage) => stage.split('/')[1];

export async function load([id]) {
  return id ? loadOne(id) : loadAll();
}

async function loadAll() {
  const certificates = await listAll('ClientCertificates', 'ListClientCertificates', 'clientCertificates');
  const [from, to] = timeWindow();
  return {title: 'Client certificates', watches: ['clientCertificates/', 'apis/'], nodes: [
    section('Client certificates', mayChange() ? button('Generate certificate', generate, 'main') : null,
      table('Client certificates; the lines go from a year ago to two years from now', [
        ['Certificate', (one) => link('client-certificates/' + idOf(one.name), idOf(one.name))],
        ['Description', (one) => one.description || '–'],
        ['Made', (one) => time(one.createTime)],
        ['Expires', (one) => time(one.notAfter)],
        ['Expiry', (one) => [expiryBadge(one.notAfter), timeline(one.certificates[0]?.notBefore, one.notAfter, from, to)]],
        ['Stages', (one) => (one.stages.length ? one.stages.map((s) => `${apiOf(s)} / ${idOf(s)}`).join(', ') : badge('', 'none'))],
      ], certificates)),
  ]};
}

async function loadOne(id) {
  const name = `clientCertificates/${id}`;
  const [one, stages] = await Promise.all([
    call('ClientCertificates', 'GetClientCertificate', {name}),
    listAll('Apis', 'ListStages', 'stages', {parent: 'apis/-'}),
  ]);
  const may = mayChange();
  const certificate = one.certificates[0];
  return {title: id, trail: trail(['client-certificates', 'Client certificates']), watches: [name, 'apis/', 'fleets/'], nodes: [
    warnings(one.warnings),
    section('Details', may ? [
      button('Edit', () => dialog('Edit the description', [
        {name: 'description', label: 'Description', value: one.description, path: 'client_certificate.description'}],
      {done: 'Saved.', onSubmit: (v) => call('ClientCertificates', 'UpdateClientCertificate',
        {clientCertificate: {name, etag: one.etag, description: v.description}, updateMask: 'description'})})),
      button('Delete', () => confirm(`Delete ${id}`, 'No node can present it any more.', 'Delete', async () => {
        await call('ClientCertificates', 'DeleteClientCertificate', {name, etag: one.etag});
        location.hash = '#/client-certificates';
      }, 'Deleted.'), 'danger')] : null,
    facts([
      ['Description', one.description],
      ['Subject', certificate.subject],
      ['Key', certificate.key],
      ['Valid', [time(certificate.notBefore), ' to ', time(one.notAfter), ' ', expiryBadge(one.notAfter)]],
      ['Serial number', h('code', {}, certificate.serial)],
      ['SHA-256', h('code', {}, certificate.certificateSha256)],
      ['Origin', one.origin],
      ['Conditions', conditions(one.conditions)],
    ])),
    section('Certificate', [copyButton('Copy PEM', one.certificateChainPem), saveButton('Save PEM', `${id}.pem`, one.certificateChainPem)],
      h('p', {}, 'Put it among the certificates that the backend trusts. It is public; the private key stays in the service.'),
      h('pre', {tabindex: 0, role: 'group', 'aria-label': 'The certificate as PEM', id: 'pem'}, one.certificateChainPem)),
    section('Stages that present it', may ? [
      button('Attach to a stage', () => attach(one, stages), 'main'),
      one.stages.length ? button('Rotate', () => rotate(one)) : null] : null,
    table('Stages that present it', [
      ['API', (s) => link(`apis/${apiOf(s.name)}`, apiOf(s.name))],
      ['Stage', (s) => idOf(s.name)],
      ['Conditions', (s) => conditions(s.conditions)],
    ], stages.filter((s) => s.clientCertificate === name), 'None.')),
  ]};
}

function generate() {
  dialog('Generate certificate', [
    {name: 'description', label: 'Description', path: 'client_certificate.description'},
    {name: 'id', label: 'Name', path: 'client_certificate_id', help: 'Empty: the service makes one.'},
    {name: 'key', label: 'Key', type: 'select', options: KEYS, value: 'RSA_2048', required: true, path: 'key_type'},
  ], {
    submit: 'Generate certificate', done: 'The certificate is made.',
    onSubmit: async (v) => {
      const made = await call('ClientCertificates', 'GenerateClientCertificate',
        {clientCertificateId: v.id, keyType: v.key, clientCertificate: {description: v.description}});
      location.hash = `#/client-certificates/${idOf(made.name)}`;
    },
  });
}

/** Has a stage present a certificate; "" for none. */
export const setCertificate = (stage, certificate) => call('Apis', 'UpdateStage',
  {stage: {name: stage.name, etag: stage.etag, clientCertificate: certificate}, updateMask: 'clientCertificate'});

function attach(one, stages) {
  dialog(`Attach ${idOf(one.name)} to a stage`, [
    {name: 'stage', label: 'API and stage', type: 'select', required: true, path: 'stage',
      options: [['', 'Choose one'], ...stages.filter((s) => s.clientCertificate !== one.name).map((s) => [s.name,
        `${apiOf(s.name)} / ${idOf(s.name)}${s.clientCertificate ? ` (has ${idOf(s.clientCertificate)})` : ''}`])]},
  ], {
    submit: 'Attach', done: 'The stage presents it.',
    intro: h('p', {}, 'The backends of the stage must trust it before, or they refuse its requests. It takes effect at once, without a deployment.'),
    onSubmit: (v) => setCertificate(stages.find((s) => s.name === v.stage), one.name),
  });
}

// The steps of a rotation: a new certificate, the backend learns it, the stages
// change over, the backend forgets the old one. The second and the last are not
// ours to do.
async function rotate(one) {
  const others = (await listAll('ClientCertificates', 'ListClientCertificates', 'clientCertificates')).filter((c) => c.name !== one.name);
  dialog(`Rotate ${idOf(one.name)}`, [
    {name: 'certificate', label: 'New certificate', type: 'select', path: 'client_certificate', required: true,
      options: [['', 'Choose one'], ...others.map((c) => [c.name, `${idOf(c.name)} (${c.description || 'no description'})`])],
      help: others.length ? '' : 'There is no other: generate one first.'},
    {name: 'trusted', label: 'The backends trust the new certificate beside the old one', type: 'check', path: 'trusted', required: true},
  ], {
    submit: 'Change over', done: 'The stages present the new certificate.',
    intro: h('ol', {}, h('li', {}, 'Generate a new certificate.'), h('li', {}, 'Add its PEM to what the backends trust; leave the old one there.'),
      h('li', {}, `Change over: ${one.stages.map((s) => `${apiOf(s)} / ${idOf(s)}`).join(', ')}.`),
      h('li', {}, 'When ClientCertificateInForce is true at the stages, take the old one from the backends and delete it here.')),
    onSubmit: async (v) => {
      for (const name of one.stages) {
        await setCertificate(await call('Apis', 'GetStage', {name}), v.certificate);
      }
    },
  });
}
