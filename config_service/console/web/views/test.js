// The Test tab: one request to a route through a node, with a client certificate
// of choice.

import {call} from '../api.js';
import {announce, h} from '../dom.js';
import {badge, base64, duration, facts, form, idOf, section, textOf} from '../parts.js';

export function testForm({api, routes, stages, certificates, may}, chosen) {
  const answer = h('div', {id: 'test-answer'});
  if (!may) return section('Test', null, h('p', {}, 'Sending requests needs the role operator.'));
  if (!routes.length) return section('Test', null, h('p', {}, 'The API has no route to try yet.'));
  const names = routes.map((r) => r.name);
  const first = names.find((n) => idOf(n) === chosen) || names[0];
  const pathOf = (name) => {
    const {path} = routes.find((r) => r.name === name);
    return path.includes('{') ? path.replaceAll(/\{[^}]*\}/g, 'x') : path;
  };
  const element = form([
    {name: 'route', label: 'Route', type: 'select', required: true, value: first, path: 'route',
      options: routes.map((r) => [r.name, `${r.method} ${r.path} (${idOf(r.name)})`])},
    {name: 'method', label: 'Method', type: 'select', path: 'method', value: '',
      options: ['', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((m) => [m, m || 'The route\'s own']), help: 'Of a route with the method ANY; it is GET else.'},
    {name: 'path', label: 'Path and query', required: true, value: pathOf(first), path: 'path'},
    {name: 'stage', label: 'Stage', type: 'select', value: stages[0]?.name || '', path: 'stage', help: 'Its variables and its client certificate are used.',
      options: [['', 'None'], ...stages.map((s) => [s.name, idOf(s.name)])]},
    {name: 'certificate', label: 'Client certificate', type: 'select', path: 'client_certificate',
      options: [['', 'The stage\'s own'], ...certificates.map((c) => [c.name, `${idOf(c.name)}${c.description ? ` (${c.description})` : ''}`])]},
    {name: 'headers', label: 'Headers', type: 'textarea', path: 'headers', help: 'Name: value, one on a line.'},
    {name: 'body', label: 'Body', type: 'textarea', path: 'body'},
  ], {
    submit: 'Test',
    onSubmit: async (v) => {
      answer.replaceChildren(h('p', {}, 'The request is under way…'));
      try {
        const got = await call('Apis', 'TestInvokeRoute', {
          route: v.route, stage: v.stage, clientCertificate: v.certificate, method: v.method, path: v.path,
          headers: headersOf(v.headers), body: await base64(v.body)});
        answer.replaceChildren(show(got));
        announce(got.failure ? 'The test failed.' : `The answer is ${got.status}.`);
      } catch (error) {
        answer.replaceChildren();
        throw error;
      }
    },
  });
  element.elements.route.addEventListener('change', () => { element.elements.path.value = pathOf(element.elements.route.value); });
  return [section('Test', null, h('p', {class: 'soft'}, `One request of ${api.displayName || idOf(api.name)} through a connected node, with the route as it is now, deployed or not.`), element), answer];
}

const headersOf = (text) => text.split('\n').filter((line) => line.trim()).map((line) => {
  const at = line.indexOf(':');
  return {name: line.slice(0, at < 0 ? undefined : at).trim(), value: at < 0 ? '' : line.slice(at + 1).trim()};
});

function block(label, text) {
  return [h('h3', {}, label), h('pre', {tabindex: 0, role: 'group', 'aria-label': label}, text)];
}

function show(got) {
  return section('Answer', null,
    got.failure ? h('div', {class: 'box bad'}, h('p', {}, got.failure)) : null,
    facts([
      ['Status', badge(got.status >= 200 && got.status < 400 ? 'good' : 'bad', String(got.status || 'none'))],
      ['Latency', duration(got.latency)],
      ['Node', got.node],
      ['Backend', got.backend || 'none: the route answers itself'],
      ['Client certificate offered', got.clientCertificate ? `${idOf(got.clientCertificate)}: ${got.clientCertificateSubject}` : 'none'],
      ['Its SHA-256', got.clientCertificateSha256 || undefined],
    ]),
    block('Headers of the answer', got.headers.map((one) => `${one.name}: ${one.value}`).join('\n') || '(none)'),
    block(got.bodyTruncated ? 'Body, its first 64 KiB' : 'Body', textOf(got.body) || '(empty)'),
    block('Log', got.log.join('\n')));
}
