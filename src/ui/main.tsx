// Entry of the pages: mounts them.
import { render } from 'preact';
import { Pages } from './pages.tsx';
import './style.css';

render(<Pages />, document.getElementById('app')!);
