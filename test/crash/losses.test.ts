// Every file of a data directory × every harm × running or not.
import { testHarm } from '../support/harm-sweep.ts';

testHarm('in every way', Infinity);
