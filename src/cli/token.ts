/** The bearer token of a server, which is never on a command line. */
import { Config } from "effect"

/** `CHORALE_TOKEN`, where the environment has it. */
export const bearer = Config.option(Config.Redacted("CHORALE_TOKEN"))
