// APIs: the list, and making one.

import {call, listAll, mayChange} from '../api.js';
import {badge, button, conditions, dialog, idOf, link, section, table} from '../parts.js';

export async function load() {
  const apis = await listAll('Apis', 'ListApis', 'apis');
  return {title: 'APIs', watches: ['apis/'], nodes: [
    section('APIs', mayChange() ? button('Create', create, 'main') : null, table('APIs', [
      ['API', (one) => link('apis/' + idOf(one.name), one.displayName || idOf(one.name))],
      ['Id', (one) => idOf(one.name)],
      ['Description', (one) => one.description || '–'],
      ['Default endpoint', (one) => (one.disableDefaultEndpoint ? badge('good', 'disabled') : one.defaultEndpoint || 'none')],
      ['Conditions', (one) => conditions(one.conditions)],
    ], apis)),
  ]};
}

function create() {
  dialog('Create an API', [
    {name: 'display', label: 'Name', path: 'api.display_name'},
    {name: 'id', label: 'Id', path: 'api_id', help: 'Empty: the service makes one.'},
    {name: 'description', label: 'Description', path: 'api.description'},
  ], {
    submit: 'Create API', done: 'The API is made.',
    onSubmit: async (v) => {
      const made = await call('Apis', 'CreateApi', {apiId: v.id, api: {displayName: v.display, description: v.description}});
      location.hash = `#/apis/${idOf(made.name)}`;
    },
  });
}
