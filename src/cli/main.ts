#!/usr/bin/env node
/** Starts the command line with what was compiled of it the last time, which Node keeps for this user. */
import { enableCompileCache } from "node:module"

enableCompileCache?.()
await import("./program.ts")
