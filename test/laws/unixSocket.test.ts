import { holdToLaws } from "./holdToLaws.ts"
import { unixSocket } from "./locations.ts"

holdToLaws("a service over a unix socket", unixSocket)
