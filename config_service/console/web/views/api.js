// One API: routes, stages, deployments, and trying a route.

import {call, listAll, mayChange} from '../api.js';
import {add, h} from '../dom.js';
import {badge, button, conditions, confirm, dialog, facts, idOf, link, section, table, time, trail, warnings} from '../parts.js';
import {testForm} from './test.js';

const METHODS = ['ANY', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((m) => [m, m]);
const TABS = [['routes', 'Routes'], ['stages', 'Stages'], ['deployments', 'Deployments'], ['test', 'Test'], ['details', 'Details']];

export async function load([id], query) {
  const name = `apis/${id}`;
  const [api, routes, stages, deployments, certificates, truststores] = await Promise.all([
    call('Apis', 'GetApi', {name}),
    listAll('Apis', 'ListRoutes', 'routes', {parent: name}),
    listAll('Apis', 'ListStages', 'stages', {parent: name}),
    listAll('Apis', 'ListDeployments', 'deployments', {parent: name}, 200),
    listAll('ClientCertificates', 'ListClientCertificates', 'clientCertificates'),
    listAll('Truststores', 'ListTruststores', 'truststores'),
  ]);
  const all = {id, name, api, routes, stages, deployments, certificates, truststores, may: mayChange()};
  const chosen = TABS.some(([key]) => key === query.get('tab')) ? query.get('tab') : 'routes';
  const panels = {routes: showRoutes, stages: showStages, deployments: showDeployments, details: showDetails,
    test: () => [testForm(all, query.get('route'))]};
  const panel = h('div', {role: 'tabpanel', id: 'panel', 'aria-labelledby': `tab-${chosen}`}, panels[chosen](all));
  return {title: api.displayName || id, trail: trail(['apis', 'APIs']),
    // An answer of a test stays until the next one is asked for.
    still: chosen === 'test', watches: [name, 'clientCertificates/', 'fleets/'],
    nodes: [warnings(api.warnings), tabs(id, chosen), panel]};
}

// The keys are those of the ARIA pattern for tabs.
function tabs(id, chosen) {
  const open = (key) => { location.hash = `#/apis/${id}?tab=${key}`; };
  const list = h('div', {role: 'tablist', 'aria-label': 'Parts of the API'});
  add(list, TABS.map(([key, text], i) => h('button', {type: 'button', role: 'tab', id: `tab-${key}`, 'aria-selected': String(key === chosen),
    'aria-controls': key === chosen ? 'panel' : null, tabindex: key === chosen ? 0 : -1, onclick: () => open(key),
    onkeydown: (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      list.children[(i + step + TABS.length) % TABS.length].focus();
    }}, text)));
  return list;
}

const integrationOf = (route) => {
  if (route.httpProxy) return `HTTP proxy to ${route.httpProxy.uri}`;
  if (route.http) return `HTTP ${route.http.method} ${route.http.uri}`;
  return route.mock ? `answers ${route.mock.status || 200} itself` : '–';
};

function showRoutes(all) {
  return [section('Routes', all.may ? [button('Create route', () => editRoute(all, null), 'main'), button('Deploy', () => deploy(all))] : null,
    h('p', {class: 'soft'}, 'Routes are what is being worked on; a deployment makes them serve.'),
    table('Routes', [
      ['Route', (one) => idOf(one.name)],
      ['Method', (one) => one.method],
      ['Path', (one) => h('code', {}, one.path)],
      ['Integration', integrationOf],
      ['Warnings', (one) => (one.warnings.length ? one.warnings.map((w) => h('p', {}, badge('warn', w.reason), ' ', w.message)) : '–')],
      ['Actions', (one) => h('div', {class: 'actions'}, link(`apis/${all.id}?tab=test&route=${idOf(one.name)}`, 'Test'), all.may ? [
        button(`Edit ${idOf(one.name)}`, () => editRoute(all, one)),
        button(`Delete ${idOf(one.name)}`, () => confirm('Delete the route', 'Stages go on serving it until the next deployment.', 'Delete',
          () => call('Apis', 'DeleteRoute', {name: one.name, etag: one.etag}), 'Deleted.'), 'danger')] : null)],
    ], all.routes))];
}

function editRoute(all, route) {
  const kind = route?.http ? 'http' : route?.mock ? 'mock' : 'httpProxy';
  const of = route?.[kind] || {};
  dialog(route ? `Edit ${idOf(route.name)}` : 'Create route', [
    {name: 'method', label: 'Method', type: 'select', options: METHODS, value: route?.method || 'ANY', required: true, path: 'route.method'},
    {name: 'path', label: 'Path', value: route?.path || '/{proxy+}', required: true, path: 'route.path', help: '/customer/{customer-id}; {proxy+} at the end takes all that is left.'},
    {name: 'kind', label: 'Integration', type: 'select', value: kind, required: true,
      options: [['httpProxy', 'HTTP proxy'], ['http', 'HTTP'], ['mock', 'Mock']]},
    {name: 'uri', label: 'Endpoint URL', value: of.uri, required: true, when: (v) => v.kind !== 'mock', path: 'route.http', help: '${stageVariables.NAME} stands for a variable of the stage.'},
    {name: 'backendMethod', label: 'Method of the backend', value: kind === 'http' ? of.method : '', when: (v) => v.kind === 'http', path: 'route.http.method'},
    {name: 'truststore', label: 'Truststore of the backend', type: 'select', value: of.tls?.truststore || '', when: (v) => v.kind !== 'mock', path: 'route.http.tls.truststore',
      options: [['', 'The public CAs that the node trusts'], ...all.truststores.map((t) => [t.name, idOf(t.name)])]},
    {name: 'server', label: 'Name in the backend\'s certificate', value: of.tls?.serverName, when: (v) => v.kind !== 'mock', help: 'Empty: the host of the URL.'},
    {name: 'status', label: 'Status', type: 'number', value: kind === 'mock' ? String(of.status || 200) : '200', when: (v) => v.kind === 'mock', path: 'route.mock.status'},
    {name: 'body', label: 'Body', type: 'textarea', value: kind === 'mock' ? of.body : '', when: (v) => v.kind === 'mock', path: 'route.mock.body'},
  ], {
    submit: 'Save', done: 'Saved.',
    onSubmit: (v) => {
      // What this form does not know of the integration stays.
      const old = v.kind === kind && route ? of : {};
      let integration = {...old, status: Number(v.status) || 0, body: v.body};
      if (v.kind !== 'mock') {
        const tls = v.truststore || v.server || old.tls
          ? {...(old.tls || {}), truststore: v.truststore, serverName: v.server} : undefined;
        integration = {...old, uri: v.uri.trim(), ...(tls ? {tls} : {}), ...(v.kind === 'http' ? {method: v.backendMethod} : {})};
      }
      const resource = {method: v.method, path: v.path, [v.kind]: integration};
      const field = v.kind === 'httpProxy' ? 'httpProxy' : v.kind;
      return route
        ? call('Apis', 'UpdateRoute', {route: {...resource, name: route.name, etag: route.etag}, updateMask: `method,path,${field}`})
        : call('Apis', 'CreateRoute', {parent: all.name, route: resource});
    },
  });
}

function showStages(all) {
  return [section('Stages', all.may ? button('Create stage', () => createStage(all), 'main') : null,
    all.stages.length ? null : h('p', {class: 'soft'}, 'There is nothing yet.')),
  ...all.stages.map((one) => section(`Stage ${idOf(one.name)}`, all.may ? [
    button(`Edit ${idOf(one.name)}`, () => editStage(all, one)),
    one.previousDeployment ? button(`Roll back ${idOf(one.name)}`, () => confirm('Roll back the stage', `It serves ${idOf(one.previousDeployment)} again, at once.`,
      'Roll back', () => call('Apis', 'RollbackStage', {name: one.name, etag: one.etag}), 'Rolled back.')) : null,
    button(`Delete ${idOf(one.name)}`, () => confirm('Delete the stage', 'It is refused while an API mapping names it.', 'Delete',
      () => call('Apis', 'DeleteStage', {name: one.name, etag: one.etag}), 'Deleted.'), 'danger')] : null,
  warnings(one.warnings),
  facts([
    ['Deployment', one.deployment ? idOf(one.deployment) : badge('warn', 'none: every request gets 403')],
    ['Client certificate', one.clientCertificate ? link('client-certificates/' + idOf(one.clientCertificate), idOf(one.clientCertificate)) : 'none'],
    ['Description', one.description || undefined],
    ['Variables', Object.keys(one.variables).length ? Object.entries(one.variables).map(([k, v]) => h('p', {}, h('code', {}, `${k}=${v}`))) : undefined],
    ['Conditions', conditions(one.conditions)],
    ['Last change', time(one.updateTime)],
  ])))];
}

const certificateField = (all, value) => ({name: 'certificate', label: 'Client certificate', type: 'select', value: value || '', path: 'stage.client_certificate',
  options: [['', 'None'], ...all.certificates.map((c) => [c.name, `${idOf(c.name)}${c.description ? ` (${c.description})` : ''}`])],
  help: 'Presented to the backends of all HTTP integrations, at once: no deployment is needed.'});
const deploymentField = (all, value) => ({name: 'deployment', label: 'Deployment', type: 'select', value: value || '', path: 'stage.deployment',
  options: [['', 'None'], ...all.deployments.map((d) => [d.name, `${idOf(d.name)} ${d.description}`])]});
const variablesOf = (text) => Object.fromEntries(text.split('\n').filter((line) => line.trim()).map((line) => {
  const at = line.indexOf('=');
  return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}));

function createStage(all) {
  dialog('Create stage', [
    {name: 'id', label: 'Name', required: true, path: 'stage_id'},
    {name: 'description', label: 'Description', path: 'stage.description'},
    deploymentField(all, all.deployments[0]?.name), certificateField(all),
  ], {
    submit: 'Create stage', done: 'The stage is made.',
    onSubmit: (v) => call('Apis', 'CreateStage', {parent: all.name, stageId: v.id,
      stage: {description: v.description, deployment: v.deployment, clientCertificate: v.certificate}}),
  });
}

function editStage(all, stage) {
  dialog(`Edit stage ${idOf(stage.name)}`, [
    certificateField(all, stage.clientCertificate), deploymentField(all, stage.deployment),
    {name: 'description', label: 'Description', value: stage.description, path: 'stage.description'},
    {name: 'variables', label: 'Variables', type: 'textarea', path: 'stage.variables', help: 'NAME=VALUE, one on a line.',
      value: Object.entries(stage.variables).map(([k, v]) => `${k}=${v}`).join('\n')},
  ], {
    done: 'Saved.',
    onSubmit: (v) => call('Apis', 'UpdateStage', {stage: {name: stage.name, etag: stage.etag, clientCertificate: v.certificate,
      deployment: v.deployment, description: v.description, variables: variablesOf(v.variables)},
    updateMask: 'clientCertificate,deployment,description,variables'}),
  });
}

function deploy(all) {
  dialog('Deploy', [
    {name: 'stage', label: 'Stage', type: 'select', path: 'stage',
      options: [['', 'None yet'], ...all.stages.map((s) => [s.name, idOf(s.name)])], value: all.stages[0]?.name},
    {name: 'description', label: 'Description', path: 'deployment.description'},
  ], {
    submit: 'Deploy', done: 'Deployed.',
    onSubmit: (v) => call('Apis', 'CreateDeployment', {parent: all.name, deployment: {description: v.description}, stage: v.stage}),
  });
}

function showDeployments(all) {
  return [section('Deployments', all.may ? button('Deploy', () => deploy(all), 'main') : null, table('Deployments, the newest first', [
    ['Deployment', (one) => idOf(one.name)],
    ['Made', (one) => time(one.createTime)],
    ['Description', (one) => one.description || '–'],
    ['Routes', (one) => String(one.routeCount)],
    ['Stages', (one) => one.stages.map(idOf).join(', ') || '–'],
    ...(all.may ? [['Actions', (one) => (one.stages.length ? 'is served' : button(`Delete ${idOf(one.name)}`, () => confirm('Delete the deployment', 'No stage can serve it any more.', 'Delete',
      () => call('Apis', 'DeleteDeployment', {name: one.name, etag: one.etag}), 'Deleted.'), 'danger'))]] : []),
  ], all.deployments))];
}

function showDetails(all) {
  const {api} = all;
  const disabled = api.disableDefaultEndpoint;
  return [section('Details', all.may ? [
    button('Edit', () => dialog('Edit the API', [
      {name: 'display', label: 'Name', value: api.displayName, path: 'api.display_name'},
      {name: 'description', label: 'Description', value: api.description, path: 'api.description'},
      {name: 'disabled', label: 'Disable the default endpoint', type: 'check', value: disabled,
        help: 'Then clients reach the API only by a custom domain name. At once, without a deployment.', path: 'api.disable_default_endpoint'},
    ], {done: 'Saved.', onSubmit: (v) => call('Apis', 'UpdateApi', {
      api: {name: api.name, etag: api.etag, displayName: v.display, description: v.description, disableDefaultEndpoint: v.disabled},
      updateMask: 'displayName,description,disableDefaultEndpoint'})})),
    button('Delete', () => confirm('Delete the API', 'Its routes, stages and deployments are deleted too. It is refused while a domain name maps it.', 'Delete', async () => {
      await call('Apis', 'DeleteApi', {name: api.name, etag: api.etag});
      location.hash = '#/apis';
    }, 'Deleted.'), 'danger')] : null, facts([
    ['Id', idOf(api.name)],
    ['Description', api.description],
    ['Endpoint', api.endpointType.replace('ENDPOINT_TYPE_UNSPECIFIED', 'REGIONAL')],
    ['Default endpoint', disabled ? badge('good', 'disabled') : api.defaultEndpoint || 'none: the fleets have no suffix for them'],
    ['Conditions', conditions(api.conditions)],
    ['Last change', time(api.updateTime)],
  ]))];
}
