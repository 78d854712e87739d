// A receiver as people write it in Node: @octokit/webhooks verifies and parses, BullMQ keeps the job in Redis.
// With DATABASE_URL each delivery is first inserted into PostgreSQL, which makes its promises those of Tagship's.
import { createServer } from "node:http";
import { Webhooks, createNodeMiddleware } from "@octokit/webhooks";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";

const { PORT, GITHUB_WEBHOOK_SECRET, REDIS_URL, DATABASE_URL } = process.env;
const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue("releases", { connection });
const webhooks = new Webhooks({ secret: GITHUB_WEBHOOK_SECRET });
const insert = {
  name: "insert",
  text: "INSERT INTO deliveries (delivery_id, event, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING seq",
};
let pool;

if (DATABASE_URL) {
  pool = new pg.Pool({ connectionString: DATABASE_URL, max: 16 });
  await pool.query(
    "CREATE TABLE IF NOT EXISTS deliveries (seq bigserial PRIMARY KEY, delivery_id text UNIQUE NOT NULL, " +
      "event text NOT NULL, body jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now())",
  );
}

webhooks.onAny(async ({ id, name, payload }) => {
  if (pool) {
    const stored = await pool.query({ ...insert, values: [id, name, payload] });
    if (stored.rowCount === 0) return;
    await queue.add("release", { seq: stored.rows[0].seq }, { removeOnComplete: true });
  } else {
    await queue.add("release", payload, { removeOnComplete: true });
  }
});

const middleware = createNodeMiddleware(webhooks, { path: "/webhooks/github" });
createServer(async (request, response) => {
  if (request.url === "/healthz") return response.end("ok");
  if (!(await middleware(request, response))) response.writeHead(404).end();
}).listen(Number(PORT), "127.0.0.1");
