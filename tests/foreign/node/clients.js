// One adapter for each client: the same verbs, done by the client's own methods. Only addresses are ours.
'use strict';

const base = process.env.SIMULATOR_URL;
const realm = process.env.SIMULATOR_REALM;
const app = { id: 'simulator-client', secret: 'simulator-secret', callback: 'http://localhost:8000/callback' };
const paths = {
  token: `${base}/oauth2/v1/tokens/bearer`,
  revoke: `${base}/v2/oauth2/tokens/revoke`,
  userinfo: `${base}/v1/openid_connect/userinfo`,
  authorize: `${base}/connect/oauth2`,
  api: `${base}/v3/company/`,
};
const plural = { Customer: 'Customers', Invoice: 'Invoices', CreditMemo: 'CreditMemos', Term: 'Terms' };

function nodeQuickbooks(_code, refreshToken) {
  const QuickBooks = require('node-quickbooks');
  QuickBooks.V3_ENDPOINT_BASE_URL = paths.api;
  QuickBooks.TOKEN_URL = paths.token;
  QuickBooks.REVOKE_URL = paths.revoke;
  QuickBooks.USER_INFO_URL = paths.userinfo;
  const qbo = new QuickBooks(app.id, app.secret, 'none', false, realm, true, false, 75, '2.0', refreshToken);
  const call = (name, ...args) =>
    new Promise((resolve, reject) =>
      qbo[name](...args, (error, body) =>
        error ? reject(new Error(JSON.stringify(error.response?.data || body || error.message))) : resolve(body),
      ),
    );
  return {
    // It has no exchange of a code: its example has the application do that.
    refresh: () => call('refreshAccessToken'),
    create: (entity, members) => call(`create${entity}`, members),
    read: (entity, id) => call(`get${entity}`, id),
    update: (entity, members) => call(`update${entity}`, members),
    voidInvoice: async (invoice) => (await call('voidInvoice', invoice)).Invoice,
    delete: async (entity, members) => (await call(`delete${entity}`, members))[entity],
    query: async (entity, criteria) => (await call(`find${plural[entity]}`, criteria)).QueryResponse[entity] || [],
    count: async (entity) => (await call(`find${plural[entity]}`, { count: true })).QueryResponse.totalCount,
    batch: async (items) => (await call('batch', items)).BatchItemResponse,
    changes: async (entities, since) => (await call('changeDataCapture', entities, since)).CDCResponse[0].QueryResponse,
    companyInfo: () => call('getCompanyInfo', realm),
    preferences: async () => (await call('findPreferenceses', {})).QueryResponse.Preferences[0],
    userInfo: () => call('getUserInfo'),
    revoke: () => call('revokeAccess', true),
  };
}

function quickbooksNodePromise(code) {
  const Quickbooks = require('quickbooks-node-promise').default || require('quickbooks-node-promise');
  Quickbooks.V3_ENDPOINT_BASE_URL = paths.api;
  Quickbooks.AUTHORIZATION_URL = paths.authorize;
  Quickbooks.TOKEN_URL = paths.token;
  Quickbooks.REVOKE_URL = paths.revoke;
  Quickbooks.USER_INFO_URL = paths.userinfo;
  const config = {
    appKey: app.id,
    appSecret: app.secret,
    redirectUrl: app.callback,
    scope: ['com.intuit.quickbooks.accounting'],
    useProduction: false,
    minorversion: 75,
    autoRefresh: false,
  };
  const qbo = new Quickbooks(config, realm);
  return {
    authorizeUri: () => Quickbooks.authorizeUrl(config, 'state-1'),
    token: () => qbo.createToken(code),
    refresh: () => qbo.refreshAccessToken(),
    create: async (entity, members) => (await qbo[`create${entity}`](members))[entity],
    read: async (entity, id) => (await qbo[`get${entity}`](id))[entity],
    update: async (entity, members) => (await qbo[`update${entity}`](members))[entity],
    voidInvoice: async (invoice) => (await qbo.voidInvoice(invoice)).Invoice,
    delete: async (entity, members) => (await qbo[`delete${entity}`](members))[entity],
    query: async (entity, criteria) => (await qbo[`find${plural[entity]}`](criteria)).QueryResponse[entity] || [],
    count: async (entity) => (await qbo[`count${plural[entity]}`]({})).QueryResponse.totalCount,
    batch: async (items) => (await qbo.batch(items)).BatchItemResponse,
    changes: async (entities, since) => (await qbo.changeDataCapture(entities, since)).CDCResponse[0].QueryResponse,
    companyInfo: async () => (await qbo.getCompanyInfo(realm)).CompanyInfo,
    preferences: async () => (await qbo.getPreferences()).Preferences,
    userInfo: () => qbo.getUserInfo(),
    revoke: () => qbo.revokeAccess(true),
  };
}

function intuitOauth(code) {
  const OAuthClient = require('intuit-oauth');
  OAuthClient.authorizeEndpoint = paths.authorize;
  OAuthClient.tokenEndpoint = paths.token;
  OAuthClient.revokeEndpoint = paths.revoke;
  OAuthClient.userinfo_endpoint_sandbox = paths.userinfo;
  const client = new OAuthClient({
    clientId: app.id,
    clientSecret: app.secret,
    environment: 'sandbox',
    redirectUri: app.callback,
  });
  const api = async (path, body, params) => {
    const made = await client.makeApiCall({
      url: `${paths.api}${realm}/${path}`,
      method: body ? 'POST' : 'GET',
      body: body ? JSON.stringify(body) : undefined,
      params: { minorversion: 75, ...params },
    });
    return made.json;
  };
  const lower = (entity) => entity.toLowerCase();
  return {
    authorizeUri: () => client.authorizeUri({ scope: [OAuthClient.scopes.Accounting], state: 'state-1' }),
    token: () => client.createToken(`${app.callback}?code=${code}&state=state-1&realmId=${realm}`),
    refresh: () => client.refresh(),
    create: async (entity, members) => (await api(lower(entity), members))[entity],
    read: async (entity, id) => (await api(`${lower(entity)}/${id}`))[entity],
    update: async (entity, members) => (await api(lower(entity), { sparse: true, ...members }))[entity],
    voidInvoice: async (invoice) => (await api('invoice', invoice, { operation: 'void' })).Invoice,
    delete: async (entity, members) => (await api(lower(entity), members, { operation: 'delete' }))[entity],
    query: async (entity, criteria) => {
      const [[name, value]] = Object.entries(criteria);
      const query = `select * from ${entity} where ${name} = '${value.replace(/'/g, "\\'")}'`;
      return (await api('query', undefined, { query })).QueryResponse[entity] || [];
    },
    count: async (entity) => (await api('query', undefined, { query: `select count(*) from ${entity}` })).QueryResponse.totalCount,
    batch: async (items) => (await api('batch', { BatchItemRequest: items })).BatchItemResponse,
    changes: async (entities, since) =>
      (await api('cdc', undefined, { entities: entities.join(','), changedSince: since })).CDCResponse[0].QueryResponse,
    companyInfo: async () => (await api(`companyinfo/${realm}`)).CompanyInfo,
    preferences: async () => (await api('preferences')).Preferences,
    userInfo: async () => (await client.getUserInfo()).json,
    revoke: () => client.revoke(),
  };
}

module.exports = {
  'node-quickbooks': nodeQuickbooks,
  'quickbooks-node-promise': quickbooksNodePromise,
  'intuit-oauth': intuitOauth,
};
