// The official TypeScript SDK against the offline server; see esc_sdk.sh.
// usage: node esc_sdk.mjs URL TOKEN
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { Configuration, EscApi } = require('@pulumi/esc-sdk');
const [, , url, token] = process.argv;
const client = new EscApi(new Configuration({ accessToken: token, basePath: `${url}/api/esc` }));
const app = ['acme', 'eso-esc-demo', 'esp-esc-app'];

const listed = await client.listEnvironments('acme');
assert(listed.environments.some((e) => e.project === app[1] && e.name === app[2]));

const whole = await client.openAndReadEnvironment(...app);
assert.deepEqual(whole.values, { app: { hello: 'world', 'hello-secret': 'world' } });

const session = await client.openEnvironment(...app);
const property = await client.readOpenEnvironmentProperty(...app, session.id, 'app');
assert.equal(property.value.hello, 'world');

const definition = await client.getEnvironment(...app);
assert.equal(definition.definition.values.app.hello, 'world');

const checked = await client.checkEnvironmentYaml('acme', 'values:\n  a: b\n  c: ${a}\n');
assert.equal(checked.properties.a.value, 'b');
assert.equal(checked.exprs.c.symbol[0].key, 'a');
assert.equal(checked.schema.properties.a.type, 'string');
assert(checked.executionContext.properties.pulumi);

// What was read, with one value changed: the secret stays one, and is served encrypted.
const decrypted = await client.decryptEnvironment(...app);
assert.equal(decrypted.definition.values.app['hello-secret']['fn::secret'], 'world');
assert(definition.definition.values.app['hello-secret']['fn::secret'].ciphertext);
definition.definition.values.app.hello = 'sdk';
await client.updateEnvironmentYaml(...app, JSON.stringify(definition.definition));
const updated = await client.openAndReadEnvironment(...app);
assert.deepEqual(updated.values, { app: { hello: 'sdk', 'hello-secret': 'world' } });
await assert.rejects(client.updateEnvironmentYaml(...app, 'values: {a: "${missing}"}'), /400/);

await assert.rejects(client.openEnvironment('acme', 'eso-esc-demo', 'missing'), /404/);
// The life of an environment.
const project = 'sdk';
const mine = ['acme', project, 'mine'];
await client.createEnvironment(...mine);
await client.updateEnvironmentYaml(...mine, 'values: {a: 1}');
await client.updateEnvironment(...mine, { values: { a: 2, s: { 'fn::secret': 'hidden' } } });
const revisions = await client.listEnvironmentRevisions(...mine);
assert.deepEqual(revisions.map((r) => r.number), [3, 2, 1]);
assert(revisions[0].tags.includes('latest'));
assert.equal((await client.listEnvironmentRevisions(...mine, 3, 1))[0].number, 2);
assert.equal((await client.getEnvironmentAtVersion(...mine, '2')).definition.values.a, 1);
await assert.rejects(client.createEnvironment(...mine), /409/);

await client.createEnvironmentRevisionTag(...mine, 'stable', 2);
assert.equal((await client.openAndReadEnvironmentAtVersion(...mine, 'stable')).values.a, 1);
await client.updateEnvironmentRevisionTag(...mine, 'stable', 3);
assert.equal((await client.getEnvironmentRevisionTag(...mine, 'stable')).revision, 3);
const names = (await client.listEnvironmentRevisionTags(...mine)).tags.map((t) => t.name);
assert.deepEqual(names, ['latest', 'stable']);
await client.deleteEnvironmentRevisionTag(...mine, 'stable');
await assert.rejects(client.getEnvironmentRevisionTag(...mine, 'stable'), /404/);

await client.createEnvironmentTag(...mine, 'team', 'ops');
await client.updateEnvironmentTag(...mine, 'team', 'ops', 'team', 'dev');
assert.equal((await client.getEnvironmentTag(...mine, 'team')).value, 'dev');
assert.equal((await client.listEnvironmentTags(...mine)).tags.team.value, 'dev');
await client.deleteEnvironmentTag(...mine, 'team');

await client.cloneEnvironment(...mine, project, 'copy', { preserveHistory: true });
assert.equal((await client.listEnvironmentRevisions('acme', project, 'copy')).length, 3);
await client.deleteEnvironment('acme', project, 'copy');
await client.deleteEnvironment(...mine);
await assert.rejects(client.getEnvironment(...mine), /404/);
console.log('@pulumi/esc-sdk: all as expected');
