"""Where everything of one stack lies; nothing is written outside its root.

<root>/
  ports.json  secrets.json   chosen once, then kept
  run/<component>.json       which process it is
  logs/<component>.log       what it says
  airflow/                   AIRFLOW_HOME: airflow.cfg, passwords.json, database, task logs
  mlflow/                    database, artifacts, passwords.json
  keys/                      the client's key, and one host key per node
  nodes/<node>/              a login node: home, queue
  shared/workspaces          what both nodes see as ~/workspaces
  home, tmp                  HOME and TMPDIR of the control plane
"""

from dataclasses import dataclass
from pathlib import Path

NODES = ("cpu", "ai")


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one stack: its root, and the checkout whose code it runs."""

    root: Path
    checkout: Path

    @classmethod
    def default(cls) -> "Layout":
        """Return the layout of the checkout that this module lies in."""
        checkout = Path(__file__).resolve().parents[2]
        return cls(root=checkout / ".stack", checkout=checkout)

    @property
    def dags(self) -> Path:
        """Folder of the DAG files."""
        return self.checkout / "dags"

    @property
    def plugins(self) -> Path:
        """Folder of the Airflow plugins."""
        return self.checkout / "plugins"

    @property
    def ports(self) -> Path:
        """The ports, as chosen at the first start."""
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        """Keys that Airflow's components share; private to the user."""
        return self.root / "secrets.json"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.root / "airflow"

    @property
    def airflow_passwords(self) -> Path:
        """Users of the web interface and their passwords; private to the user."""
        return self.airflow / "passwords.json"

    @property
    def airflow_database(self) -> Path:
        """Airflow's SQLite file."""
        return self.airflow / "airflow.db"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def mlflow_passwords(self) -> Path:
        """MLflow's user and password; private to the user."""
        return self.mlflow / "passwords.json"

    @property
    def mlflow_users(self) -> Path:
        """What MLflow's server is told of its users."""
        return self.mlflow / "users.ini"

    @property
    def client_key(self) -> Path:
        """The control host's SSH key."""
        return self.root / "keys" / "id_ed25519"

    @property
    def authorized_keys(self) -> Path:
        """Who may log in to the nodes."""
        return self.root / "keys" / "authorized_keys"

    def host_key(self, node: str) -> Path:
        """Return the key by which a node is known."""
        return self.root / "keys" / f"host-{node}"

    def node_home(self, node: str) -> Path:
        """Return the home folder on a node."""
        return self.root / "nodes" / node / "home"

    def node_queue(self, node: str) -> Path:
        """Return the state folder of a node's batch queue."""
        return self.root / "nodes" / node / "queue"

    @property
    def workspaces(self) -> Path:
        """The filesystem that both nodes share."""
        return self.root / "shared" / "workspaces"

    @property
    def home(self) -> Path:
        """HOME of the control plane's processes."""
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        """TMPDIR of all processes."""
        return self.root / "tmp"

    def process(self, component: str) -> Path:
        """Return the file that says which process a component is."""
        return self.root / "run" / f"{component}.json"

    def log(self, component: str) -> Path:
        """Return the log of a component."""
        return self.root / "logs" / f"{component}.log"

    def make(self) -> None:
        """Create the folders; harmless if they exist."""
        folders = [self.root / "run", self.root / "logs", self.root / "keys"]
        folders += [self.airflow, self.mlflow, self.workspaces, self.home, self.tmp]
        folders += [self.node_home(node) for node in NODES]
        folders += [self.node_queue(node) for node in NODES]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for node in NODES:
            shared = self.node_home(node) / "workspaces"
            if not shared.is_symlink():
                shared.symlink_to(self.workspaces)
