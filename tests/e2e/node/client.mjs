// The TypeScript clients, driven by the line protocol of ../drivers/orders.py: `client.mjs v1|v2`.
import { createInterface } from "node:readline";

const generation = process.argv[2];
const name = { name: "e2e-typescript", version: "1" };
const agents = new Map();
const calls = new Map();

const library =
  generation === "v2"
    ? await import("@modelcontextprotocol/client")
    : {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await import("@modelcontextprotocol/sdk/types.js")),
      };

class Agent {
  changes = [];
  waiting = [];

  async open(order) {
    const headers = { Authorization: `Bearer ${order.token}`, ...order.headers };
    const changed = () => {
      const next = this.waiting.shift();
      if (next) next(true);
      else this.changes.push(true);
    };
    const listChanged = { tools: { autoRefresh: false, debounceMs: 0, onChanged: changed } };
    const options = generation === "v2" ? { listChanged, versionNegotiation: { mode: order.mode } } : {};
    this.client = new library.Client(name, options);
    if (generation === "v1") {
      this.client.setNotificationHandler(library.ToolListChangedNotificationSchema, changed);
    }
    this.transport = new library.StreamableHTTPClientTransport(new URL(order.url), { requestInit: { headers } });
    await this.client.connect(this.transport);
    this.patience = order.plain ? {} : { timeout: (order.patience_s ?? 60) * 1000 };
    const version = this.client.getNegotiatedProtocolVersion?.() ?? this.transport.protocolVersion;
    return { version };
  }

  async tools() {
    return (await this.client.listTools(undefined, { cacheMode: "refresh" })).tools;
  }

  change() {
    if (this.changes.length) return this.changes.shift();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async call(order) {
    const progress = [];
    const stop = new AbortController();
    if (order.key) calls.set(order.key, stop);
    const onprogress = (one) => progress.push([one.progress, one.total ?? null, one.message ?? null]);
    const params = { name: order.name, arguments: order.arguments };
    if (order.meta) params._meta = order.meta;
    const options = { signal: stop.signal, ...(order.plain ? {} : { onprogress }), ...this.patience };
    try {
      const result = await (generation === "v2"
        ? this.client.callTool(params, options)
        : this.client.callTool(params, undefined, options));
      return { progress, result };
    } catch (error) {
      if (stop.signal.aborted) return { progress, cancelled: true };
      if (typeof error.code !== "number") throw error;
      return { progress, error: { code: error.code, message: error.message, data: error.data ?? null } };
    }
  }
}

const verbs = {
  async open(order) {
    const agent = new Agent();
    const opened = await agent.open(order);
    agents.set(order.agent, agent);
    return opened;
  },
  tools: (order) => agents.get(order.agent).tools(),
  call: (order) => agents.get(order.agent).call(order),
  change: (order) => agents.get(order.agent).change(),
  cancel: (order) => calls.get(order.key).abort("asked to"),
  async close(order) {
    await agents.get(order.agent).client.close();
    agents.delete(order.agent);
  },
};

async function carryOut(order) {
  let answer;
  try {
    answer = { ok: (await verbs[order.do](order)) ?? null };
  } catch (error) {
    answer = { failed: String(error?.stack ?? error) };
  }
  process.stdout.write(JSON.stringify({ id: order.id, ...answer }) + "\n");
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => carryOut(JSON.parse(line)));
lines.on("close", () => process.exit(0));
