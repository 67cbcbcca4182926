"""Gets a token from an authority with MSAL, twice, and prints what MSAL says.

The authority, the client and the scope come from the environment, the certificate to trust in REQUESTS_CA_BUNDLE. An
argument stands in for the secret. Microsoft's own list of authorities is not asked, as its documentation says for others.
"""

import json
import os
import sys

import msal

application = msal.ConfidentialClientApplication(
    os.environ["CLIENT_ID"],
    client_credential=sys.argv[1] if len(sys.argv) > 1 else os.environ["CLIENT_SECRET"],
    authority=os.environ["AUTHORITY"],
    instance_discovery=False,
)
first = application.acquire_token_for_client(scopes=[os.environ["SCOPE"]])
again = application.acquire_token_for_client(scopes=[os.environ["SCOPE"]])
print(json.dumps({"answer": first, "cached": again.get("token_source") == "cache"}))
