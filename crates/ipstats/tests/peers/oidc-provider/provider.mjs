// An OpenID provider on loopback for the tests: oidc-provider with a few clients and users. It prints its issuer and obeys
// one command a line on standard input, each answered with one line: rotate, withdraw, down, up.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

// Its remarks about settings for development are not for who reads the answers.
console.info = console.error;

const [tenant, otherTenant, resource] = process.argv.slice(2);
const scopes = ["Ip.Read.All", "Machine.Read"];
const groups = { ana: ["soc", "everybody"], bob: ["everybody"] };

const machine = (client_id, scope) => ({
  client_id,
  client_secret: `${client_id}-secret`,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope,
});

const clients = [
  machine("soar", "Ip.Read.All"),
  machine("inventory", "Machine.Read"),
  machine("other-soar", "Ip.Read.All"),
  {
    client_id: "portal",
    client_secret: "portal-secret",
    redirect_uris: ["https://portal.example/signed-in"],
    scope: ["openid", ...scopes].join(" "),
  },
];

const configuration = (keys) => ({
  clients,
  jwks: { keys },
  scopes: ["openid", ...scopes],
  pkce: { required: () => false },
  cookies: { keys: ["a test"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // What an operator adds so that tokens say whose data they open, and in which groups their user is.
  extraTokenClaims: (_, token) => ({
    tid: token.clientId === "other-soar" ? otherTenant : tenant,
    ...(token.accountId && { groups: groups[token.accountId] ?? [] }),
  }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, audience) => ({
        audience,
        scope: scopes.join(" "),
        accessTokenFormat: "jwt",
        accessTokenTTL: 3600,
        jwt: { sign: { alg: "RS256" } },
      }),
      defaultResource: () => resource,
      useGrantedResource: () => true,
    },
  },
});

let keyNumber = 0;
const newKey = async () => {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: `key-${++keyNumber}`, alg: "RS256", use: "sig" };
};

let down = false;
let keys = [await newKey()];
let answer;
const server = createServer((request, response) => (down ? request.socket.destroy() : answer(request, response)));
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const serve = () => (answer = new Provider(issuer, configuration(keys)).callback());
serve();

const commands = {
  rotate: async () => (keys = [await newKey(), ...keys]),
  withdraw: async () => (keys = keys.slice(0, 1)),
  down: async () => (down = true),
  up: async () => (down = false),
};

console.log(issuer);
for await (const line of createInterface({ input: process.stdin })) {
  await commands[line]();
  serve();
  console.log(`done: ${line}`);
}
process.exit(0);
