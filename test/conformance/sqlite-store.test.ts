import { openSharedStores, openThrowAwayStore } from '../support/throw-away-store.ts';
import { storeContract } from './store.ts';

storeContract('SQLite', openThrowAwayStore, openSharedStores);
