// Gets a token from an authority with MSAL for Node, and prints what MSAL has. The authority, the client and the scope
// come from the environment, the certificate to trust in NODE_EXTRA_CA_CERTS.
import { ConfidentialClientApplication } from "@azure/msal-node";

const { AUTHORITY, CLIENT_ID, CLIENT_SECRET, SCOPE } = process.env;
const application = new ConfidentialClientApplication({
    auth: {
        authority: AUTHORITY,
        clientId: CLIENT_ID,
        clientSecret: CLIENT_SECRET,
        knownAuthorities: [new URL(AUTHORITY).host],
    },
});
const first = await application.acquireTokenByClientCredential({ scopes: [SCOPE] });
const again = await application.acquireTokenByClientCredential({ scopes: [SCOPE] });
console.log(JSON.stringify({
    token: first.accessToken,
    expires: first.expiresOn.toISOString(),
    cached: again.fromCache && again.accessToken === first.accessToken,
}));
