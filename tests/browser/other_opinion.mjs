// What `jose` thinks of access tokens, for tests/hostile: on standard input what a verifier expects, one line of JSON, then
// one token a line as a JSON text; on standard output one line a token, `ok` or why not.
import { createInterface } from "node:readline";
import { decodeProtectedHeader, importJWK, jwtVerify } from "jose";

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]();
const { issuer, audience, now, skew, keys } = JSON.parse((await lines.next()).value);
const known = new Map();
for (const jwk of keys) known.set(jwk.kid, { key: await importJWK(jwk, jwk.alg), alg: jwk.alg });

async function judge(token) {
    const { kid } = decodeProtectedHeader(token);
    const named = known.get(kid);
    if (!named) return "unknown kid";
    // One algorithm for each key, as RFC 8725 §3.1 asks.
    const rules = { issuer, audience, algorithms: [named.alg], typ: "at+jwt", currentDate: new Date(now * 1000) };
    await jwtVerify(token, named.key, { ...rules, requiredClaims: ["exp", "iat"], clockTolerance: skew });
    return "ok";
}

let answers = [];
for await (const line of lines) {
    answers.push(await judge(JSON.parse(line)).catch((error) => error.code ?? error.name));
    if (answers.length === 1000) {
        process.stdout.write(answers.join("\n") + "\n");
        answers = [];
    }
}
if (answers.length > 0) process.stdout.write(answers.join("\n") + "\n");
