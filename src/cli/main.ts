#!/usr/bin/env node
/**
 * Starts the command line with what was compiled of it the last time, which Node keeps for this user.
 *
 * What it needs is looked at first, without anything that an older Node does not have: so it can say what is missing.
 */
import * as Module from "node:module"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

const refuse = (reason: string) => {
  process.stderr.write(`chorale: ${reason}\n`)
  process.exitCode = 1
}

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND" &&
  cause.message.includes("'@effect/platform-node'")

if (major < 22 || major === 22 && minor < 19) {
  refuse(`Node ${process.versions.node} is too old for the command line: install Node 24, or 22.19 at least`)
} else {
  Module.enableCompileCache?.()
  await import("./program.ts").catch((cause: unknown) => {
    if (!isMissing(cause)) throw cause
    refuse("the command line needs @effect/platform-node, which is not installed: npm install @effect/platform-node")
  })
}
