// Entry of the first page: mounts it.
import { render } from 'preact';
import { HomePage } from './home-page.tsx';
import './style.css';

render(<HomePage />, document.getElementById('app')!);
