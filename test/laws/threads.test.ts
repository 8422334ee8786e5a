import { holdToLaws } from "./holdToLaws.ts"
import { threads } from "./locations.ts"

holdToLaws("a service in three threads", threads)
