import { defineConfig } from "vitest/config"

const conditions = ["@chorale/source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    pool: "forks",
    execArgv: conditions.map((condition) => `--conditions=${condition}`),
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    coverage: { provider: "v8", include: ["src/**"] }
  }
})
