import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import * as ExternalMemory from "../../src/internal/externalMemory.ts"
import * as Binary from "../fixtures/cli/binary.ts"

/** Others have no such rule. */
const hasGnuLibrary = "glibcVersionRuntime" in (process.report.getReport() as { readonly header: object }).header

const mebibyte = 1024 * 1024

const collecting = new Set<unknown>([constants.NODE_PERFORMANCE_GC_MINOR, constants.NODE_PERFORMANCE_GC_MAJOR])

/**
 * Succeeds when young objects have been collected so often while and after something was done: alone, or with all others,
 * which V8 does instead where it has marked these already.
 */
const collections = (count: number, work: () => void) =>
  Effect.callback<void>((resume) => {
    let seen = 0
    const observer = new PerformanceObserver((list) => {
      // Entries of this type have such a detail.
      const entries = list.getEntries() as ReadonlyArray<{ readonly detail?: NodeGCPerformanceDetail }>
      seen += entries.filter(({ detail }) => collecting.has(detail?.kind)).length
      if (seen < count) return
      observer.disconnect()
      resume(Effect.void)
    })
    observer.observe({ entryTypes: ["gc"] })
    work()
    return Effect.sync(() => observer.disconnect())
  })

describe("memory of messages", () => {
  it.live("has the young objects collected once for each 16 MiB of it", () =>
    collections(6, () => {
      for (let index = 0; index < 100; index++) ExternalMemory.allocated(mebibyte)
    }))

  it("leaves the program without a collector that it did not ask for", () => {
    for (let index = 0; index < 20; index++) ExternalMemory.allocated(mebibyte)
    assert.isUndefined(globalThis.gc)
  })

  it.live.skipIf(!hasGnuLibrary)("is given by the system once, and then used again", () =>
    Effect.gen(function*() {
      const program = yield* Binary.startProgram(pagesGiven, [])
      const { code, stdout } = yield* program.ended
      assert.strictEqual(code, 0)
      // Messages of 24 MB are 5860 pages of 4 KiB.
      assert.isBelow(Number(stdout), 500)
    }))
})

const pagesGiven = fileURLToPath(new URL("../fixtures/pagesGiven.ts", import.meta.url))
