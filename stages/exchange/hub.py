"""Uploading an export to the Hugging Face hub."""

from __future__ import annotations

from pipeline.errors import UserError


def push_to_hub(folder: str, repo: str, private: bool) -> str:
    """Uploads a folder to a dataset repository, which is made if it isn't there, and gives its address.

    The token is the one that `hf auth login` or `HF_TOKEN` left.

    Raises:
        UserError: the hub refuses, or can't be reached.
    """
    import httpx2  # what the hub's client raises when there is no network
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    api = HfApi()
    try:
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset")
    except (httpx2.HTTPError, HFValidationError, OSError) as error:
        first = " ".join(str(error).split())[:300]
        raise UserError(f"--push-to-hub {repo}: {first}; the export itself is in {folder}") from error
    return f"https://huggingface.co/datasets/{repo}"
