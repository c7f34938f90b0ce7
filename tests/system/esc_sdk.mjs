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

const checked = await client.checkEnvironmentYaml('acme', 'values:\n  a: b\n');
assert.equal(checked.properties.a.value, 'b');

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
console.log('@pulumi/esc-sdk: list, open, read, property, definition, check, decrypt, update, missing: all as expected');
