/** The floor of a thread: it posts back what it is posted. */
import { parentPort } from "node:worker_threads"

parentPort?.on("message", (message: unknown) => parentPort?.postMessage(message))
