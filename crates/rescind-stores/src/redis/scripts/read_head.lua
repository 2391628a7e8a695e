return {head}
