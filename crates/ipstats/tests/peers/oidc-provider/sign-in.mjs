// A user who signs in to the client `portal` with a browser's requests (authorization code flow), and prints the access
// token: node sign-in.mjs ISSUER USER SCOPES RESOURCE
const [issuer, user, scope, resource] = process.argv.slice(2);
const redirect = "https://portal.example/signed-in";
const cookies = new Map();

async function browse(url, form) {
  const response = await fetch(url, {
    method: form ? "POST" : "GET",
    body: form && new URLSearchParams(form),
    headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    redirect: "manual",
  });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
    cookies.set(name, value);
  }
  const location = response.headers.get("location");
  if (!location) throw new Error(`${url}: ${response.status} ${(await response.text()).slice(0, 500)}`);
  return new URL(location, url).href;
}

const question = { client_id: "portal", response_type: "code", redirect_uri: redirect, scope, resource };
let url = await browse(`${issuer}/auth?${new URLSearchParams(question)}`);
// First it asks who it is, then whether that is meant.
const forms = [{ prompt: "login", login: user, password: "any" }, { prompt: "consent" }];
while (!url.startsWith(redirect)) {
  url = await browse(url, url.includes("/interaction/") ? forms.shift() : undefined);
}
const code = new URL(url).searchParams.get("code");
const response = await fetch(`${issuer}/token`, {
  method: "POST",
  body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: redirect, resource }),
  headers: { authorization: `Basic ${Buffer.from("portal:portal-secret").toString("base64")}` },
});
const { access_token, ...rest } = await response.json();
if (!access_token) throw new Error(JSON.stringify(rest));
console.log(access_token);
