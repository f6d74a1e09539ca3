// The same story with every client: node story.js CLIENT. One JSON line a step: {"step", "ok", "detail"}.
'use strict';

const assert = require('node:assert');
const clients = require('./clients.js');

const steps = {
  authorizeUri: async ({ client }) => {
    const asked = new URL(client.authorizeUri());
    assert.deepStrictEqual(
      [asked.searchParams.get('scope'), asked.searchParams.get('state'), asked.searchParams.get('response_type')],
      ['com.intuit.quickbooks.accounting', 'state-1', 'code'],
    );
    assert.strictEqual((await fetch(asked)).status, 200);
  },
  token: ({ client }) => client.token(),
  refresh: ({ client }) => client.refresh(),
  create: async (state) => {
    const address = { Line1: '1 High Street', City: 'Larchton' };
    state.customer = await state.client.create('Customer', { DisplayName: "Amy's Bird Sanctuary", BillAddr: address });
    assert.deepStrictEqual(
      [state.customer.SyncToken, state.customer.FullyQualifiedName, state.customer.BillAddr.City],
      ['0', "Amy's Bird Sanctuary", 'Larchton'],
    );
  },
  read: async ({ client, customer }) => {
    assert.strictEqual((await client.read('Customer', customer.Id)).DisplayName, "Amy's Bird Sanctuary");
  },
  'sparse update': async (state) => {
    const { Id, SyncToken } = state.customer;
    const made = await state.client.update('Customer', { Id, SyncToken, sparse: true, Notes: 'Feathers' });
    assert.deepStrictEqual([made.SyncToken, made.Notes, made.BillAddr.City], ['1', 'Feathers', 'Larchton']);
    state.customer = made;
  },
  'a fault': async ({ client, customer }) => {
    await assert.rejects(
      () => client.update('Customer', { Id: customer.Id, SyncToken: '0', sparse: true, Notes: 'x' }),
      (error) => /5010|Stale|Bad Request/.test(JSON.stringify(error) + String(error)),
    );
  },
  'sub-customer': async ({ client, customer }) => {
    const parent = { Job: true, ParentRef: { value: customer.Id } };
    const made = await client.create('Customer', { DisplayName: 'Aviary', ...parent });
    assert.deepStrictEqual([made.Level, made.FullyQualifiedName], [1, "Amy's Bird Sanctuary:Aviary"]);
  },
  query: async ({ client, customer }) => {
    const found = await client.query('Customer', { DisplayName: "Amy's Bird Sanctuary" });
    assert.deepStrictEqual(found.map((one) => one.Id), [customer.Id]);
    assert.strictEqual(await client.count('Customer'), 2);
  },
  void: async (state) => {
    state.invoice = await state.client.create('Invoice', document(state.customer));
    assert.strictEqual(state.invoice.TotalAmt, 100);
    const gone = await state.client.voidInvoice({ Id: state.invoice.Id, SyncToken: state.invoice.SyncToken });
    assert.deepStrictEqual([gone.TotalAmt, gone.PrivateNote, gone.SyncToken], [0, 'Voided', '1']);
  },
  delete: async (state) => {
    const made = await state.client.create('Invoice', document(state.customer));
    const gone = await state.client.delete('Invoice', { Id: made.Id, SyncToken: made.SyncToken });
    assert.strictEqual(gone.status, 'Deleted');
  },
  'credit memo': async ({ client, customer }) => {
    const made = await client.create('CreditMemo', document(customer));
    assert.deepStrictEqual([made.RemainingCredit, (await client.read('CreditMemo', made.Id)).TotalAmt], [100, 100]);
  },
  batch: async ({ client, customer }) => {
    const { Id, SyncToken } = customer;
    const answers = await client.batch([
      { bId: 'a', operation: 'create', Customer: { DisplayName: 'Batched' } },
      { bId: 'b', operation: 'update', Customer: { Id, SyncToken, sparse: true, Notes: 'Fewer feathers' } },
      { bId: 'c', operation: 'delete', Invoice: { Id: '999', SyncToken: '0' } },
      { bId: 'd', Query: 'select * from Term' },
    ]);
    const found = Object.fromEntries(answers.map((one) => [one.bId, one]));
    assert.deepStrictEqual(
      [found.a.Customer.SyncToken, found.b.Customer.SyncToken, found.c.Fault.Error[0].code],
      ['0', '2', '610'],
    );
    assert.strictEqual(found.d.QueryResponse.Term.length, 4);
  },
  CDC: async ({ client, invoice }) => {
    const answers = await client.changes(['Customer', 'Invoice'], invoice.MetaData.CreateTime);
    const invoices = answers.find((one) => one.Invoice).Invoice;
    assert.deepStrictEqual(invoices.map((one) => one.status || 'there').sort(), ['Deleted', 'there']);
  },
  'company and preferences': async ({ client }) => {
    assert.strictEqual((await client.companyInfo()).CompanyName, 'Larch & Co Design');
    assert.strictEqual((await client.preferences()).SalesFormsPrefs.CustomTxnNumbers, true);
  },
  'user info': async ({ client }) => {
    assert.strictEqual((await client.userInfo()).emailVerified, true);
  },
  revoke: async ({ client, customer }) => {
    const { refresh, revoke, read } = client;
    await revoke();
    await assert.rejects(async () => { await read('Customer', customer.Id); await refresh(); });
  },
};

function document(customer) {
  const detail = { ItemRef: { value: '1' }, Qty: 4, UnitPrice: 25 };
  const line = { Amount: 100, DetailType: 'SalesItemLineDetail', SalesItemLineDetail: detail };
  return { CustomerRef: { value: customer.Id }, Line: [line] };
}

async function main() {
  const client = clients[process.argv[2]](process.env.SIMULATOR_CODE, process.env.SIMULATOR_REFRESH_TOKEN);
  const state = { client };
  for (const [step, work] of Object.entries(steps)) {
    if (['authorizeUri', 'token'].includes(step) && !client[step]) continue;
    let detail = '';
    try {
      await work(state);
    } catch (error) {
      detail = `${error.message || error} ${JSON.stringify(error.fault || '')}`.slice(0, 500);
    }
    process.stdout.write(`${JSON.stringify({ step, ok: detail === '', detail })}\n`);
  }
}

main();
