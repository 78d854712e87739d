// A default build with one of Sentry's bundler plugins: node build.mjs BUNDLER RELEASE. Whatever a plugin calls an error ends it.
const [bundler, release] = process.argv.slice(2);
const entry = "src/index.js";
const out = `${process.cwd()}/dist-${bundler}`;
const options = {
  org: process.env.SENTRY_ORG,
  project: process.env.SENTRY_PROJECT,
  authToken: process.env.SENTRY_AUTH_TOKEN,
  url: process.env.SENTRY_URL,
  telemetry: false,
  release: { name: release, setCommits: { auto: true }, deploy: { env: "production" } },
  errorHandler(problem) {
    throw problem;
  },
};

const builds = {
  async esbuild() {
    const { build } = await import("esbuild");
    const { sentryEsbuildPlugin } = await import("@sentry/esbuild-plugin");
    await build({ entryPoints: [entry], bundle: true, sourcemap: true, outdir: out, format: "esm", plugins: [sentryEsbuildPlugin(options)] });
  },
  async rollup() {
    const { rollup } = await import("rollup");
    const { sentryRollupPlugin } = await import("@sentry/rollup-plugin");
    const bundle = await rollup({ input: entry, plugins: [sentryRollupPlugin(options)] });
    await bundle.write({ dir: out, sourcemap: true, format: "es" });
    await bundle.close();
  },
  async vite() {
    const { build } = await import("vite");
    const { sentryVitePlugin } = await import("@sentry/vite-plugin");
    const library = { entry, formats: ["es"], fileName: "index" };
    await build({ logLevel: "warn", build: { sourcemap: true, outDir: out, lib: library }, plugins: [sentryVitePlugin(options)] });
  },
  async webpack() {
    const { default: webpack } = await import("webpack");
    const { sentryWebpackPlugin } = await import("@sentry/webpack-plugin");
    const asked = { mode: "production", entry: `./${entry}`, devtool: "source-map", output: { path: out }, plugins: [sentryWebpackPlugin(options)] };
    await new Promise((resolve, reject) =>
      webpack(asked, (problem, stats) => (problem || stats.hasErrors() ? reject(problem ?? new Error(stats.toString())) : resolve())),
    );
  },
};
await builds[bundler]();
