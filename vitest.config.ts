import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

const conditions = ["@chorale/source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    pool: "forks",
    execArgv: conditions.map((condition) => `--conditions=${condition}`),
    include: ["test/**/*.test.ts"],
    // Many tests wait for other processes: one more at a time than there are cores keeps those busy.
    maxWorkers: availableParallelism() + 1,
    // Models run on threads of a lower priority: beside other tests they take many times as long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Servers log the defects that tests ask them for.
    silent: "passed-only",
    chaiConfig: { truncateThreshold: 500 },
    coverage: { provider: "v8", include: ["src/**"] }
  }
})
