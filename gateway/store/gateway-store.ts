/** A gateway as the others on the same store know it. */
export interface GatewayRecord {
  readonly id: string;
  /** Rises with every sign of life; undefined for one that has none left but executions under way. */
  readonly renewals: number | undefined;
}

/** Who uses the store: gateways, by signs of life that they give and others watch for. */
export interface GatewayStore {
  /**
   * This gateway lives. Resolves with its number among all of them, which no other has: below GATEWAY_NUMBERS, and the
   * same as long as it is known. Rejects where so many are known already.
   */
  renew(): Promise<number>;
  /** The others: those that are known, and those that have running executions. */
  listOthers(): Promise<GatewayRecord[]>;
  /** Forgets another gateway, if it gave no sign since. */
  remove(seen: GatewayRecord): Promise<void>;
}
