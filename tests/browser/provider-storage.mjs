// Where the test's provider keeps its sessions, grants and codes: in memory, and across a change of its keys, which is a
// new provider on the same storage. Owns the shape that `oidc-provider` asks of an adapter; knows none of the rows.

export class ProviderStorage {
  #rows = new Map();
  #clients = new Map();

  setClient(id, metadata) {
    this.#clients.set(id, metadata);
  }

  /** The adapter of one kind of row. */
  adapter(kind) {
    const rows = this.#rows;
    const key = (id) => `${kind}:${id}`;
    const live = (row) => (row && (!row.ends || row.ends > Date.now()) ? row.payload : undefined);
    const findBy = (name, value) => live([...rows.values()].find((row) => row.kind === kind && row.payload[name] === value));
    return {
      upsert: async (id, payload, expiresIn) => {
        rows.set(key(id), { kind, payload, ends: expiresIn && Date.now() + expiresIn * 1000 });
      },
      find: async (id) => (kind === "Client" ? this.#clients.get(id) : live(rows.get(key(id)))),
      findByUid: async (uid) => findBy("uid", uid),
      findByUserCode: async (userCode) => findBy("userCode", userCode),
      consume: async (id) => {
        const row = rows.get(key(id));
        if (row) row.payload.consumed = Math.floor(Date.now() / 1000);
      },
      destroy: async (id) => void rows.delete(key(id)),
      revokeByGrantId: async (grantId) => {
        for (const [at, row] of rows) if (row.payload.grantId === grantId) rows.delete(at);
      },
    };
  }
}
