// Runs graphql-http's audits against a server: `node audit.mjs URL AUTHORIZATION`; one JSON array of findings on stdout.
import { auditServer } from "graphql-http";

const [url, authorization] = process.argv.slice(2);
const findings = await auditServer({
  url,
  fetchFn: (address, init = {}) => fetch(address, { ...init, headers: { ...init.headers, authorization } }),
});
const plain = findings.map(({ id, name, status, reason }) => ({ id, name, status, reason: reason ?? null }));
process.stdout.write(JSON.stringify(plain));
