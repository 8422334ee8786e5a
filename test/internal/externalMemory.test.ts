import { assert, describe, it } from "@effect/vitest"
import * as ExternalMemory from "../../src/internal/externalMemory.ts"

const mebibyte = 1024 * 1024

/** The most memory outside of the heap that was added while so many buffers of one mebibyte came and went. */
const peak = (buffers: number): number => {
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  for (let index = 0; index < buffers; index++) {
    Buffer.allocUnsafeSlow(mebibyte)
    ExternalMemory.allocated(mebibyte)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  return most
}

describe("memory of messages", () => {
  it("is freed soon after nothing refers to it any more", () => {
    assert.isBelow(peak(200), 24 * mebibyte)
  })

  it("leaves the program without a collector that it did not ask for", () => {
    peak(20)
    assert.isUndefined(globalThis.gc)
  })
})
